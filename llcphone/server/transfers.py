"""Twilio's requests about callers who have left their agent.

POST /transfer/<run_number>/<to>/<token>/<step>    no answer, a colleague listens (`transfers.answers`)
POST /voicemail/recorded                           a message was left
POST /recording/<what>                             a recording is ready: voicemail, or a whole call
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Response, abort, request

from llcphone.runtime.log_lines import logger
from llcphone.runtime.rare_log import SeldomLog
from llcphone.server.callbacks import TWIML_TYPE, signed_form

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from llcphone.phone.ports import PhonePort

log = logger("llcphone.server.app")


def add_transfers(app: QuartTrio, phone: PhonePort) -> None:
    """The routes of transfers and recordings."""
    seldom = SeldomLog(log)

    @app.post("/transfer/<int:run_number>/<to>/<token>/<step>")
    async def transfer(run_number: int, to: str, token: str, step: str) -> Response:
        form = dict(await signed_form(phone, seldom))
        why = request.args.get("why")
        form |= {} if why is None else {"why": why}
        text = await phone.transfers.webhooks.ask(step, run_number, to, token, form)
        if text is None:
            abort(404)
        return Response(text, content_type=TWIML_TYPE)

    @app.post("/voicemail/recorded")
    async def recorded() -> Response:
        form = dict(await signed_form(phone, seldom))
        return Response(phone.transfers.webhooks.recorded(form), content_type=TWIML_TYPE)

    @app.post("/recording/<what>")
    async def recording(what: str) -> tuple[str, int]:
        form = dict(await signed_form(phone, seldom))
        phone.transfers.recordings.ready(what, form)
        return "", 204
