"""The routes: a complete quart-trio app over a phone it does not own.

    POST /twiml             the voice webhook of calls that ring us: signed form in, TwiML out
    /calls ...              the API, when it has a key (`api`)
    POST /resume/<run_number>[/<node>]    a media stream has ended: what next (`phone.resumption`)
    POST /status/<token> /amd/<token> /twiml/<token>    Twilio's callbacks about calls we placed (`callbacks`)
    POST /transfer/... /voicemail/... /recording/...    callers who have left their agent (`transfers`)
    ws   /media/<token>     the media stream, when this app serves it (not with `[wire] phone = "fast"`)
    GET  /healthz           the process is alive, or why it should be replaced
    GET  /readyz            new calls are taken, or why not
    GET  /                  what this is

`llcphone serve` puts its public listener before it; an embedding program may serve it with
`hypercorn.trio.serve` itself. The phone is closed over: no global, no lifespan, no nursery of
the app's own (quart-trio 0.12 loses the errors of those: docs/vendor-facts.md,
HTTP and WebSocket libraries).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from quart import Response, abort, request, websocket
from werkzeug.exceptions import HTTPException

from llcphone.errors import JoinRefused
from llcphone.phone.overload import HOPPED
from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.api.endpoints import add_api, is_api_path
from llcphone.server.api.errors import of_http
from llcphone.server.authentication import SIGNATURE_CAUSES
from llcphone.server.callbacks import TWIML_TYPE, add_callbacks, add_transfers, signed_form
from llcphone.server.health import PROBE, alive, ready
from llcphone.server.new_app import new_app
from llcphone.server.request import BODY_LIMIT, BODY_TIMEOUT_S
from llcphone.twilio import twiml as documents
from llcphone.twilio.signature import valid_upgrade
from llcphone.validation.arguments import need_methods

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from llcphone.phone.phone import Phone

log = logger("llcphone.server.app")


def make_app(phone: Phone) -> QuartTrio:
    """The app of this phone.

    `llcphone serve` or an embedding program may serve it. With `hypercorn.trio.serve` set
    `read_timeout = 30` (else hypercorn 0.18 never closes what said `Connection: close`) and a
    `graceful_timeout` as long as a call. Note that one malformed packet can end that server: the
    public listener of `llcphone serve` keeps such packets away from it.
    """
    need_methods(phone, ("answer", "join"), "make_app: phone", "the phone that open_phone yields")
    app = new_app(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.config["BODY_TIMEOUT"] = BODY_TIMEOUT_S
    app.config["RESPONSE_TIMEOUT"] = 10
    _add_webhook(app, phone)
    add_callbacks(app, phone)
    add_transfers(app, phone)
    _add_media_stream(app, phone)
    _add_health(app, phone)
    if phone.config.api.on:
        add_api(app, phone)
    app.register_error_handler(HTTPException, partial(_small_answer, phone.config.api.on))
    return app


def _add_webhook(app: QuartTrio, phone: Phone) -> None:
    seldom = SeldomLog(log)

    @app.post("/twiml", strict_slashes=False)
    async def twiml() -> Response:
        pairs = await signed_form(phone, seldom)
        # Twilio repeats no field of a voice webhook; the signature was checked over all of them anyway.
        # "hop" is signed like all of the URL: another node of ours could not take the call.
        form = dict(pairs) | ({HOPPED: "1"} if request.args.get("hop") else {})
        if not form.get("CallSid"):
            seldom.warning("webhook names no live call")
            return Response(documents.nothing(), content_type=TWIML_TYPE)
        return Response(await phone.take(form), content_type=TWIML_TYPE)

    @app.post("/resume/<int:run_number>")
    @app.post("/resume/<int:run_number>/<node>")
    async def resume(run_number: int, node: str = "") -> Response:
        form = dict(await signed_form(phone, seldom))
        return Response(await phone.after_stream(form, run_number, node=node), content_type=TWIML_TYPE)

    @app.get("/twiml", strict_slashes=False)
    async def twiml_by_get() -> Response:
        text = "The voice webhook takes POST only: set the number's webhook method to HTTP POST.\n"
        return Response(text, 405, {"Allow": "POST"}, content_type="text/plain")


def _add_media_stream(app: QuartTrio, phone: Phone) -> None:
    seldom = SeldomLog(log)

    @app.websocket("/media/<token>")
    async def media(token: str) -> None:
        config = phone.config
        signature = websocket.headers.get("X-Twilio-Signature", "")
        authenticated = not config.server.check_signatures or valid_upgrade(
            config.twilio.auth_token,
            config.server.public_url,
            websocket.path,
            signature,
            websocket.headers.get("Host", ""),
        )
        if authenticated and token == PROBE:
            await websocket.accept()
            await websocket.close(1000)
            return
        if not authenticated or not phone.expects(token):
            seldom.warning(f"media stream refused: wrong signature or token. {SIGNATURE_CAUSES}")
            abort(403)  # before accept: a real HTTP 403, which Twilio reports as 31920
        await websocket.accept()
        try:
            await phone.serve_leg(websocket, token)
        except JoinRefused:  # another stream spent the token while we accepted
            await websocket.close(1008)

    @app.get("/media/<token>")
    async def media_without_upgrade(token: str) -> Response:
        text = "A media stream needs a WebSocket: a proxy in front removes the Upgrade header.\n"
        return Response(text, 426, {"Upgrade": "websocket"}, content_type="text/plain")


def _add_health(app: QuartTrio, phone: Phone) -> None:
    @app.get("/")
    async def index() -> Response:
        return Response("llcphone answers telephone calls here.\n", content_type="text/plain")

    @app.get("/healthz")
    async def healthz() -> tuple[dict[str, Any], int]:
        return alive(phone, request.args.get("nonce", ""))

    @app.get("/readyz")
    async def readyz() -> tuple[dict[str, Any], int]:
        return ready(phone)


async def _small_answer(with_api: bool, error: HTTPException) -> Response:
    """One line instead of a page of HTML; also for whatever a route failed with."""
    if with_api and is_api_path(request.path):
        return of_http(error)
    headers = dict(error.get_headers())
    allowed = {name: headers[name] for name in ("Allow",) if name in headers}
    return Response(f"{error.name}\n", error.code or 500, allowed, content_type="text/plain")
