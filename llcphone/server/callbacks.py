"""Twilio's callbacks about calls we placed and callers who were transferred, and how a signed form is read.

    POST /status/<token>     status of a call we placed: any order, twice, late
    POST /amd/<token>        the verdict of asynchronous machine detection
    POST /twiml/<token>      synchronous detection: Twilio asks what to do, with the verdict
    POST /transfer/<token>/<run_number>/<to>/<step>    a step of a transfer (`phone.transfers.webhooks`)
    POST /voicemail/recorded    a message was left
    POST /recording/<what>      a recording is ready: voicemail, or a whole call

Behind the last two stands ``server.node``, if it is set.

The token names the call: Twilio may call back before it has sent us the CallSid. Each is answered
at once, since all that follows from it happens inside one step of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from quart import Response, abort, request

from llcphone.runtime.log_lines import SeldomLog, logger
from llcphone.server.authentication import SIGNATURE_CAUSES, by_twilio, read_form

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from llcphone.phone.dialler import Dialler
    from llcphone.phone.phone import Phone

TWIML_TYPE = "text/xml; charset=utf-8"

log = logger("llcphone.server.app")


def add_callbacks(app: QuartTrio, phone: Phone) -> None:
    """The routes that Twilio calls back on."""
    seldom = SeldomLog(log)

    async def read(token: str) -> tuple[Dialler, dict[str, str]]:
        """Whom it concerns, and the form; 403 unless it is Twilio's, 404 for what is no call of ours."""
        form = dict(await signed_form(phone, seldom))
        if phone.dialler is None or not phone.dialler.knows(token):
            abort(404)
        return phone.dialler, form

    @app.post("/status/<token>")
    async def status(token: str) -> tuple[str, int]:
        form = dict(await signed_form(phone, seldom))
        if phone.dialler is None:
            abort(404)
        known = phone.dialler.knows(token)
        phone.dialler.status(token, form)  # a process before this one may have left the call to Twilio
        if not known:
            abort(404)
        return "", 204

    @app.post("/amd/<token>")
    async def machine(token: str) -> tuple[str, int]:
        dialler, form = await read(token)
        dialler.machine(token, form)
        return "", 204

    @app.post("/twiml/<token>")
    async def answered(token: str) -> Response:
        _, form = await read(token)
        return Response(phone.answer_placed(token, form), content_type=TWIML_TYPE)


def add_transfers(app: QuartTrio, phone: Phone) -> None:
    """The routes of transfers and recordings."""
    seldom = SeldomLog(log)

    @app.post("/transfer/<token>/<int:run_number>/<to>/<step>")
    async def transfer(token: str, run_number: int, to: str, step: str) -> Response:
        form = dict(await signed_form(phone, seldom))
        why = request.args.get("why")
        form |= {} if why is None else {"why": why}
        text = await phone.transfers.webhooks.ask(step, run_number, to, token, form)
        if text is None:
            abort(404)
        return Response(text, content_type=TWIML_TYPE)

    @app.post("/voicemail/recorded")
    @app.post("/voicemail/recorded/<node>")
    async def recorded(node: str = "") -> Response:
        form = dict(await signed_form(phone, seldom))
        return Response(phone.transfers.webhooks.recorded(form), content_type=TWIML_TYPE)

    @app.post("/recording/<what>")
    @app.post("/recording/<what>/<node>")
    async def recording(what: str, node: str = "") -> tuple[str, int]:
        form = dict(await signed_form(phone, seldom))
        phone.transfers.recordings.ready(what, form)
        return "", 204


async def signed_form(phone: Phone, seldom: SeldomLog) -> list[tuple[str, str]]:
    """The form of a webhook that is Twilio's; anything else is answered 400 or 403."""
    config = phone.config
    signature = request.headers.get("X-Twilio-Signature", "")
    if config.server.check_signatures and not signature:
        seldom.warning("webhook refused: no signature")
        abort(403)
    try:
        form = read_form(cast("bytes", await request.get_data()))
    except ValueError:
        abort(400)
    if config.server.check_signatures:
        query = request.query_string.decode("latin-1")
        target = request.path + (f"?{query}" if query else "")
        host = request.headers.get("Host", "")
        if not by_twilio(config, target, form, signature, host):
            seldom.warning(f"webhook refused: wrong signature. {SIGNATURE_CAUSES}")
            abort(403)
    return form
