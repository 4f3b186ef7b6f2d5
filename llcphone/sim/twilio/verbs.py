"""Runs TwiML: each verb takes its time, and says where the call goes next.

A verb returns None to go on with the next one, a ``Fetch`` or ``Document`` to go elsewhere, or the reason why
the call is over. Verbs that would need more of Twilio than a caller can hear are noted and passed over.
"""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING

import trio

from llcphone.sim.twilio import twiml
from llcphone.sim.twilio.connect import connect
from llcphone.sim.twilio.dial import SAY_S_PER_WORD, dial
from llcphone.sim.twilio.http import Answer, WebhookFailed
from llcphone.sim.twilio.moving import stop_left_stream
from llcphone.sim.twilio.outbound import ring_out
from llcphone.sim.twilio.record import EndedBy, Signature
from llcphone.sim.twilio.recording import recording_fields, tell_recording
from llcphone.sim.twilio.steps import Document, Fetch, RingOut, Step, absolute, action_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.sim.twilio.call import SimCall
    from llcphone.sim.twilio.twiml import Verb

DOCUMENT_LIMIT = 200
"""Documents per call: two that redirect to each other end as an application error."""
_BEFORE_THE_ANSWER = frozenset({"Reject", "Redirect", "Pause", "Hangup"})
"""Verbs that leave a ringing call ringing (twilio.com/docs/voice/twiml); all others answer it."""
XML_TYPES = frozenset({"text/xml", "application/xml", "text/html"})


async def run_step(call: SimCall, step: RingOut | Fetch | Document) -> Step:
    """Fetch a document if need be and run its verbs."""
    if isinstance(step, RingOut):
        return await ring_out(call, step)
    document = await _fetch(call, step) if isinstance(step, Fetch) else step
    if document is None:
        return EndedBy.APPLICATION_ERROR
    call.record.documents.append(document.text)
    if isinstance(step, Fetch):
        stop_left_stream(call, call.faults.stop_late_s or 0.0)
    try:
        if len(call.record.documents) > DOCUMENT_LIMIT:
            raise twiml.BadTwiML(11200, "documents without end")
        verbs = twiml.parse(document.text, call.log.error)
    except twiml.BadTwiML as bad:
        call.log.error(bad.code, bad.text)
        return EndedBy.APPLICATION_ERROR
    for verb in verbs:
        call.record.verbs.append(verb.name)
        if verb.name not in _BEFORE_THE_ANSWER:
            call.answer()
        if verb.name != "Redirect":
            stop_left_stream(call)
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
    recording = verb.child("Recording")
    if recording is None:
        call.log.note("<Start> is not simulated: no second stream is opened")
    elif call.recording is None:
        url = recording.get("recordingStatusCallback")
        call.recording = (call.log.now, absolute(base, url) if url else "")
        call.log.event("recording begins")
    return None


async def _gather(call: SimCall, verb: Verb, base: str) -> Step | None:
    """Only the time it takes: the caller presses nothing, and the next verb follows."""
    await trio.sleep(sum(len(each.text.split()) for each in verb.children) * SAY_S_PER_WORD)
    await trio.sleep(verb.number("timeout", 5))
    return None


async def _hangup(call: SimCall, verb: Verb, base: str) -> Step | None:
    return EndedBy.HANGUP_VERB


async def _reject(call: SimCall, verb: Verb, base: str) -> Step | None:
    call.log.show("reject")
    return EndedBy.REJECT_VERB


async def _pause(call: SimCall, verb: Verb, base: str) -> Step | None:
    await trio.sleep(verb.number("length", 1))
    return None


async def _say(call: SimCall, verb: Verb, base: str) -> Step | None:
    call.log.show("say", text=verb.text)
    await _repeat(verb, len(verb.text.split()) * SAY_S_PER_WORD)
    return None


async def _play(call: SimCall, verb: Verb, base: str) -> Step | None:
    digits = verb.get("digits")
    call.log.show("play", url="" if digits else verb.text)
    once_s = sum(0.5 if digit in "wW" else 0.25 for digit in digits) if digits else call.exchange.play_s
    await _repeat(verb, once_s)
    return None


async def _repeat(verb: Verb, once_s: float) -> None:
    """``loop="0"`` repeats until the call ends."""
    loops = verb.number("loop", 1)
    await trio.sleep(once_s * loops if loops else math.inf)


async def _redirect(call: SimCall, verb: Verb, base: str) -> Step | None:
    return Fetch("redirect", absolute(base, verb.text), verb.get("method", "POST").upper())


async def _dial(call: SimCall, verb: Verb, base: str) -> Step | None:
    return await dial(call, verb, base, _fetch)


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
    """A voicemail: over after silence, at the limit or by a key. Without any speech the next verb follows.

    A caller who hangs up has left their message too: ``action`` is requested, and its answer ignored.
    """
    recording = _Recording(verb.get("finishOnKey", "1234567890*#"))
    silence, began = verb.number("timeout", 5) * 8000, call.log.now
    limit = began + verb.number("maxLength", 3600) * 8000
    call.mouth.listener = recording
    call.log.show("record")
    try:
        while not recording.finished_by:
            end = min(limit, max(began, call.mouth.last_said_at) + silence)
            if call.log.now >= end:
                break
            await call.log.wait_change(call.log.time_of(end))
    finally:
        call.mouth.stop_listener(recording)
        action = None
        if call.mouth.last_said_at > began:
            fields = recording_fields(call, began, "RecordVerb")
            keys = {"Digits": "hangup" if call.hung_up else recording.finished_by}
            action = action_of(verb, base, {**fields, **keys}) or Fetch(
                "<Record> action", base, "POST", {**fields, **keys}
            )
            if callback := verb.get("recordingStatusCallback"):
                tell_recording(call, absolute(base, callback), fields)
            if call.hung_up:
                form = call.form({**action.params, "CallStatus": "completed"})
                call.notify(action.purpose, action.url, form, action.method)
    return action


_VERBS: dict[str, Callable[[SimCall, Verb, str], Awaitable[Step | None]]] = {
    "Connect": connect,
    "Start": _start,
    "Gather": _gather,
    "Hangup": _hangup,
    "Reject": _reject,
    "Pause": _pause,
    "Say": _say,
    "Play": _play,
    "Redirect": _redirect,
    "Dial": _dial,
    "Record": _record,
}
