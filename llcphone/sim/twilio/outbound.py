"""Calls the server places: ringing, answering machine detection, status callbacks.

``completed`` is the last status event of every call, also of one that was busy or never answered;
``CallStatus`` says which. Detection costs about four seconds: the synchronous kind leaves the callee in
silence for them, the asynchronous kind reports to a URL of its own
(twilio.com/docs/voice/answering-machine-detection).
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.sim.twilio.crossing import ring_own_number
from llcphone.sim.twilio.record import CallbackFaults, Callbacks, EndedBy
from llcphone.sim.twilio.steps import Callee, Fetch, RingOut, Step

if TYPE_CHECKING:
    from llcphone.sim.twilio.call import SimCall
    from llcphone.sim.twilio.handset import Handset


def tell_status(call: SimCall, event: str) -> None:
    """Report to the server ``initiated``, ``ringing``, ``answered`` or ``completed``."""
    callbacks = call.callbacks
    if not callbacks.url or event not in callbacks.events or callbacks.muted:
        return
    form = call.form(_fields(call, event))
    callbacks.sequence += 1
    if call.faults.callbacks != CallbackFaults():
        _deliver(call, event, "status callback", callbacks.url, form, callbacks.method)
        return
    match call.faults.status_callbacks:
        case Callbacks.IN_ORDER:
            _send(call, [form])
        case Callbacks.TWICE:
            _send(call, [form, form])
        case Callbacks.REVERSED:
            callbacks.held.append(form)
            if event == "completed":
                _send(call, callbacks.held[::-1])


def _fields(call: SimCall, event: str) -> dict[str, str]:
    fields = {
        "CallStatus": "in-progress" if event == "answered" else event,
        "Timestamp": call.timestamp.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(call.callbacks.sequence),
    }
    if event == "completed":
        duration_s = math.ceil(call.record.duration_ms / 1000) if call.status == "completed" else 0
        fields |= {"CallStatus": call.status, "CallDuration": str(duration_s)}
        fields["Duration"] = str(math.ceil(duration_s / 60))
    return fields


def _send(call: SimCall, forms: list[dict[str, str]]) -> None:
    call.callbacks.unsent.extend(forms)
    if not call.callbacks.sending:
        call.callbacks.sending = True
        call.in_background(_send_one_by_one, call, name="sim status callbacks")


async def _send_one_by_one(call: SimCall) -> None:
    callbacks = call.callbacks
    while callbacks.unsent:
        await call.tell("status callback", callbacks.url, callbacks.unsent.popleft(), callbacks.method)
    callbacks.sending = False


def _deliver(call: SimCall, event: str, purpose: str, url: str, form: dict[str, str], method: str) -> None:
    """As the call's faults say: not at all, late, in any order, more than once."""
    faults = call.faults.callbacks
    chance = call.callbacks.chance = call.callbacks.chance or random.Random(faults.seed)
    for _ in range(0 if event in faults.lost else faults.copies):
        late_s = faults.delay_s + chance.uniform(0, faults.scatter_s)
        call.in_background(_late, late_s, call, purpose, url, form, method, name=f"sim {purpose}")


def final_status(call: SimCall, ended_by: EndedBy) -> str:
    """``CallStatus`` of a call that is over."""
    match ended_by:
        case EndedBy.NOT_ANSWERED:
            return call.status
        case EndedBy.CANCELED:
            return "canceled"
        case EndedBy.REJECT_VERB:
            return "busy"
        case _:
            return "completed"


async def _late(late_s: float, call: SimCall, *request: Any) -> None:
    await trio.sleep(late_s)
    await call.tell(*request)


async def ring_out(call: SimCall, step: RingOut) -> Step:
    """Ring; when the callee answers, go on with the document, after a verdict if one is to be waited for."""
    callee = step.callee
    call.callbacks.muted = step.queued_s > 0
    call.queue_ms = round(step.queued_s * 1000)
    await trio.sleep(step.queued_s)
    call.callbacks.muted = False
    tell_status(call, "initiated")
    call.status = "ringing"
    tell_status(call, "ringing")
    if call.handset is not None:
        callee = await _ring_handset(call, call.handset, step)
        step = attrs.evolve(step, callee=callee)
    if callee.arrive is not None:
        callee = await ring_own_number(call, callee.arrive(call), step)
        step = attrs.evolve(step, callee=callee)
    await trio.sleep(min(callee.ring_s, step.timeout_s))
    if callee.outcome != "answers" or callee.ring_s >= step.timeout_s:
        call.status = callee.outcome if callee.outcome != "answers" else "no-answer"
        return EndedBy.NOT_ANSWERED
    call.answer()
    call.answered_ms = call.log.now_ms
    call.log.event("callee answers")
    call.mouth.speak_nowait(callee.says)
    if callee.hangs_up_after_s is not None:
        call.in_background(_hang_up, call, callee.hangs_up_after_s, name="sim callee's hand")
    tell_status(call, "answered")
    if step.send_digits:  # sending digits turns detection off
        await trio.sleep(sum({"w": 0.5, "W": 1.0}.get(digit, 0.25) for digit in step.send_digits))
    elif step.detection and step.detection_url:
        call.in_background(_detect, call, step, name="sim answering machine detection")
    elif step.detection:
        await _detect(call, step)
        if isinstance(step.then, Fetch) and call.answered_by:  # with inline TwiML it is never reported
            return attrs.evolve(step.then, params={"AnsweredBy": call.answered_by})
    return step.then


_RUNG = {
    "accept": ("answers", "human"),
    "machine": ("answers", "machine_end_beep"),
    "decline": ("busy", ""),
    "": ("no-answer", ""),
}
"""What the holder of a handset decides: ``Callee.outcome`` and ``Callee.answered_by``."""


async def _ring_handset(call: SimCall, handset: Handset, step: RingOut) -> Callee:
    """Ring a telephone outside; the callee as its holder decided."""
    decision = await handset.ring(call.sid, call.fields["From"], call.fields["To"], step.timeout_s)
    outcome, answered_by = _RUNG[decision]
    return attrs.evolve(step.callee, ring_s=0.0, outcome=outcome, answered_by=answered_by)


async def _detect(call: SimCall, step: RingOut) -> None:
    after_s, found = step.callee.verdict(step.detection, step.detection_timeout_s)
    await _unless_over(call, after_s)
    if call.over:
        return
    call.answered_by = found
    verdict = {
        "AccountSid": call.exchange.account_sid,
        "CallSid": call.sid,
        "AnsweredBy": found,
        "MachineDetectionDuration": str(round(after_s * 1000)),
    }
    if step.detection_url:
        purpose = "machine detection"
        _deliver(call, "amd", purpose, step.detection_url, verdict, "POST")


async def _hang_up(call: SimCall, after_s: float) -> None:
    await _unless_over(call, after_s)
    call.hang_up()


async def _unless_over(call: SimCall, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await call.ended()
