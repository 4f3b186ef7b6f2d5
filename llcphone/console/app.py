"""The JSON routes of the console. The port has let in only requests whose token is good.

Whether a session may act is asked here for all routes at once, and who acts is logged.

GET  /api/state     what the pages begin with (`state`)
POST /api/ticket    lets one WebSocket in: {"for": "live" | "line"}

`operations`, `calls`, `search`, `audio` and `check` have the others; what is done to calls is the HTTP API's
(`llcphone.server.api.acts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from quart import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from llcphone.console.access import Purpose  # noqa: TC001  (msgspec reads it)
from llcphone.console.audio import add_audio
from llcphone.console.calls import add_calls
from llcphone.console.check import add_check
from llcphone.console.operations import add_operations
from llcphone.console.origin import security_headers
from llcphone.console.requests import need_act, read_body, session_of
from llcphone.console.search import add_search
from llcphone.console.state import state_of
from llcphone.runtime.log_lines import logger
from llcphone.server.api.desk import add_acts
from llcphone.server.api.errors import ApiError, json_response, of_http, problem_response
from llcphone.server.new_app import new_app

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from llcphone.console.console import Console


class TicketFor(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /api/ticket``."""

    purpose: Purpose = msgspec.field(name="for")


LOOKING = {"/api/ticket", "/api/calls/search", "/api/calls/export"}
"""All other requests that are no GET act, whichever route they are for."""

log = logger("llcphone.console")


def make_console_app(console: Console) -> QuartTrio:
    """The app of this console; `port` is what serves it."""
    app = new_app(__name__)
    blueprint = Blueprint("console", __name__, url_prefix="/api")
    _add_state(blueprint, console)
    add_operations(blueprint, console)
    if console.phone is not None and console.desk is not None:
        add_acts(blueprint, console.desk)
        add_check(blueprint, console.desk)
        add_calls(blueprint, console, console.phone, console.desk.index)
        add_search(blueprint, console, console.phone)
    add_audio(blueprint, console)
    app.register_blueprint(blueprint)

    @app.before_request
    async def check_act() -> None:
        if request.method in ("GET", "HEAD") or request.path in LOOKING:
            return
        session, route = need_act(), request.url_rule.rule if request.url_rule else "?"
        call = (request.view_args or {}).get("call_id", "")
        log.info("console: act", extra={"route": route, "session": session.id, "call": call})

    @app.errorhandler(ApiError)
    async def api_error(error: ApiError) -> Response:
        return problem_response(error)

    @app.errorhandler(HTTPException)
    async def http_error(error: HTTPException) -> Response:
        return of_http(error)

    @app.after_request
    async def guard(response: Response) -> Response:
        response.headers.update(security_headers("", ""))
        response.headers["Cache-Control"] = "no-store"
        return response

    return app


def _add_state(blueprint: Blueprint, console: Console) -> None:
    @blueprint.get("/state")
    async def state() -> Response:
        return json_response(await state_of(console, session_of()))

    @blueprint.post("/ticket")
    async def ticket() -> Response:
        purpose = (await read_body(TicketFor)).purpose
        if purpose not in console.sockets:
            raise ApiError(404, "no_such_socket", "there is no such socket here", "see docs/12-console.md")
        if purpose == "line" and not need_act().phone:
            raise ApiError(
                403, "no_phone", "calls from the browser are switched off here", "set console.phone = true"
            )
        return json_response({"ticket": console.access.make_ticket(session_of(), purpose)})
