"""Runs TwiML: each verb takes its time, and says where the call goes next.

A verb returns None to go on with the next one, a ``Fetch`` or ``Document`` to go elsewhere, or the reason why
the call is over. Verbs that would need more of Twilio than a caller's ear can tell are noted and passed over.
"""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING

import trio

from llcphone.sim import phone_twiml
from llcphone.sim.phone_connect import connect
from llcphone.sim.phone_http import Answer, WebhookFailed
from llcphone.sim.phone_outbound import ring_out
from llcphone.sim.phone_record import EndedBy, Signature
from llcphone.sim.phone_steps import Document, Fetch, RingOut, Step, absolute, action_of, make_sid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.sim.phone_call import SimCall
    from llcphone.sim.phone_twiml import Verb

DOCUMENT_LIMIT = 200
"""Documents per call: two that redirect to each other end as an application error."""
SAY_S_PER_WORD = 0.4
XML_TYPES = frozenset({"text/xml", "application/xml", "text/html"})


async def run_step(call: SimCall, step: RingOut | Fetch | Document) -> Step:
    """Fetch a document if need be and run its verbs."""
    if isinstance(step, RingOut):
        return await ring_out(call, step)
    document = await _fetch(call, step) if isinstance(step, Fetch) else step
    if document is None:
        return EndedBy.APPLICATION_ERROR
    call.record.documents.append(document.text)
    try:
        if len(call.record.documents) > DOCUMENT_LIMIT:
            raise phone_twiml.BadTwiML(11200, "documents without end")
        verbs = phone_twiml.parse(document.text, call.log.error)
    except phone_twiml.BadTwiML as bad:
        call.log.error(bad.code, bad.text)
        return EndedBy.APPLICATION_ERROR
    for verb in verbs:
        call.record.verbs.append(verb.name)
        call.log.event(f"<{verb.name}>")
        outcome = await _VERBS.get(verb.name, _not_simulated)(call, verb, document.url)
        if outcome is not None or call.interrupted:
            return outcome or EndedBy.END_OF_TWIML
    return EndedBy.END_OF_TWIML


async def _fetch(call: SimCall, fetch: Fetch) -> Document | None:
    """The document behind a URL; for the first one also behind the fallback URL."""
    urls = [fetch.url]
    if fetch.first and call.exchange.fallback_url is not None:
        urls.append(call.exchange.fallback_url)
    for url in urls:
        try:
            answer = await _ask(call, fetch, url)
            if answer.content_type not in XML_TYPES:
                raise WebhookFailed(12300, f"{fetch.purpose}: content type {answer.content_type!r}")
            return Document(answer.text, url)
        except WebhookFailed as failed:
            call.log.error(failed.code, failed.text)
    return None


async def _ask(call: SimCall, fetch: Fetch, url: str) -> Answer:
    form = call.form(fetch.params)
    signature = call.faults.webhook_signature if fetch.first else Signature.RIGHT
    token = str(uuid.uuid4())
    for _ in range(2 if fetch.first and call.faults.repeat_webhook else 1):
        answer = await call.exchange.webhooks.request(
            call.log, fetch.purpose, url, form, method=fetch.method, signature=signature, token=token
        )
    return answer


async def _not_simulated(call: SimCall, verb: Verb, base: str) -> Step | None:
    call.log.note(f"<{verb.name}> is not simulated")
    return None


async def _start(call: SimCall, verb: Verb, base: str) -> Step | None:
    call.log.note("<Start> is not simulated: no second stream is opened")
    return None


async def _hangup(call: SimCall, verb: Verb, base: str) -> Step | None:
    return EndedBy.HANGUP_VERB


async def _reject(call: SimCall, verb: Verb, base: str) -> Step | None:
    return EndedBy.REJECT_VERB


async def _pause(call: SimCall, verb: Verb, base: str) -> Step | None:
    await trio.sleep(verb.number("length", 1))
    return None


async def _say(call: SimCall, verb: Verb, base: str) -> Step | None:
    await _repeat(verb, len(verb.text.split()) * SAY_S_PER_WORD)
    return None


async def _play(call: SimCall, verb: Verb, base: str) -> Step | None:
    digits = verb.get("digits")
    once_s = sum(0.5 if digit in "wW" else 0.25 for digit in digits) if digits else call.exchange.play_s
    await _repeat(verb, once_s)
    return None


async def _repeat(verb: Verb, once_s: float) -> None:
    """``loop="0"`` goes on until the call ends."""
    loops = verb.number("loop", 1)
    await trio.sleep(once_s * loops if loops else math.inf)


async def _redirect(call: SimCall, verb: Verb, base: str) -> Step | None:
    return Fetch("redirect", absolute(base, verb.text), verb.get("method", "POST").upper())


async def _dial(call: SimCall, verb: Verb, base: str) -> Step | None:
    """One party is called, with a whisper to it first if ``<Number url>`` asks for one."""
    noun = verb.children[0] if verb.children else verb
    number = noun.text
    call.record.dialled.append(number)
    child_sid = make_sid("CA")
    outcome = call.exchange.dial_outcome(number)
    ring_limit_s = verb.number("timeout", 30)
    status = outcome.status if outcome.ring_s < ring_limit_s else "no-answer"
    await trio.sleep(min(outcome.ring_s, ring_limit_s))
    talked_s = 0.0
    if status == "completed":
        if noun.name == "Number" and noun.get("url"):
            await _whisper(
                call, absolute(base, noun.get("url")), noun.get("method", "POST"), child_sid, number
            )
        talked_s = min(outcome.talk_s, verb.number("timeLimit", 14400))
        await trio.sleep(talked_s)
    bridged = "true" if status == "completed" else "false"
    params = {"DialCallStatus": status, "DialCallSid": child_sid, "DialBridged": bridged}
    if status == "completed":
        params["DialCallDuration"] = str(round(talked_s))
    return action_of(verb, base, params)


async def _whisper(call: SimCall, url: str, method: str, child_sid: str, number: str) -> None:
    """What the dialled party hears before it is connected; its verbs are read, not run."""
    params = {"CallSid": child_sid, "ParentCallSid": call.sid, "To": number, "Called": number}
    document = await _fetch(call, Fetch("whisper", url, method.upper(), params))
    if document is None:
        return
    call.record.documents.append(document.text)
    try:
        verbs = phone_twiml.parse(document.text, call.log.error)
    except phone_twiml.BadTwiML as bad:
        call.log.error(bad.code, bad.text)
    else:
        await trio.sleep(sum(len(verb.text.split()) for verb in verbs) * SAY_S_PER_WORD)


class _Recording:
    """Listens to the caller for ``<Record>``."""

    def __init__(self, finish_on: str) -> None:
        self.finish_on = finish_on
        self.finished_by = ""

    async def hear_frame(self, payload: str, frame_ms: int) -> None:
        pass  # the caller's speech is kept by the mouth anyway

    async def hear_digit(self, digit: str) -> None:
        if digit in self.finish_on:
            self.finished_by = digit


async def _record(call: SimCall, verb: Verb, base: str) -> Step | None:
    """A voicemail: over after silence, at the limit or by a key. Without any speech the next verb follows."""
    recording = _Recording(verb.get("finishOnKey", "1234567890*#"))
    silence, began = verb.number("timeout", 5) * 8000, call.log.now
    limit = began + verb.number("maxLength", 3600) * 8000
    call.mouth.listener = recording
    try:
        while not recording.finished_by:
            end = min(limit, max(began, call.mouth.last_said_at) + silence)
            if call.log.now >= end:
                break
            await call.log.wait_change(call.log.time_of(end))
    finally:
        call.mouth.stop_listener(recording)
    if call.mouth.last_said_at <= began:
        return None
    sid = make_sid("RE")
    account = call.exchange.account_sid
    params = {
        "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{sid}",
        "RecordingSid": sid,
        "RecordingDuration": str(max(1, (call.log.now - began) // 8000)),
        "Digits": recording.finished_by,
    }
    return action_of(verb, base, params) or Fetch("<Record> action", base, "POST", params)


_VERBS: dict[str, Callable[[SimCall, Verb, str], Awaitable[Step | None]]] = {
    "Connect": connect,
    "Start": _start,
    "Hangup": _hangup,
    "Reject": _reject,
    "Pause": _pause,
    "Say": _say,
    "Play": _play,
    "Redirect": _redirect,
    "Dial": _dial,
    "Record": _record,
}
