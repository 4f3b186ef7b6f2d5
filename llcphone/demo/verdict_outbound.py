"""The verdict on the calls the demo placed. Pure.

As with the call that came in, the facts of two sides are compared wherever they can be: when the server
had a model session with when Twilio was told to ring, who was to be rung with whom Twilio was told to ring.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from llcphone.demo import script as story
from llcphone.demo.verdict import Check, ending, faultless, last_word, lateness
from llcphone.demo.waterfall import waterfall
from llcphone.engine.events import EndReason

if TYPE_CHECKING:
    from llcphone.call.record import CallRecord
    from llcphone.demo.facts import Facts, ModelFacts, OutboundFacts, PhoneFacts

GIVE_UP_LIMIT_MS = 1000
"""How soon the session of a call that was not answered is closed: it costs money."""

PROGRESS = ["initiated", "ringing", "in-progress"]
"""What the carrier reports while the call runs; ``completed`` comes when it is over."""


def judge_outbound(facts: OutboundFacts) -> list[Check]:
    """All checks of the calls we placed."""
    guest, busy = facts.guest, facts.busy
    calls = {"guest": guest, "busy": busy}
    missing = [
        f"{name}'s {part}"
        for name, call in calls.items()
        for part in ("record", "model", "phone")
        if getattr(call, part) is None
    ]
    if (
        guest.record is None
        or guest.model is None
        or guest.phone is None
        or busy.record is None
        or busy.model is None
        or busy.phone is None
    ):
        return [Check("every call was placed and reported", False, f"nothing of: {', '.join(missing)}")]
    return [
        _ready_first(guest, guest.record),
        _primed_first(guest, guest.model, guest.phone),
        _context_last(guest.model),
        _saved(guest.record),
        _callbacks(guest, guest.phone),
        _callee_first(guest, guest.record, guest.phone),
        last_word(guest.model, guest.phone),
        ending(guest, guest.record, guest.phone),
        faultless(guest, guest.record),
        _once_each(facts.orders),
        _given_up(busy, busy.record, busy.model, busy.phone),
    ]


def _ready_first(facts: Facts, record: CallRecord) -> Check:
    name = "model ready before the phone rang"
    rang_ms = facts.call_ms(0)
    ready_ms = record.ready_after_ms
    if ready_ms is None:
        return Check(name, False, "no session was ready")
    return Check(
        name, ready_ms <= rang_ms, f"ready after {ready_ms:,} ms, Twilio told to ring after {rang_ms:,.0f} ms"
    )


def _primed_first(facts: Facts, model: ModelFacts, phone: PhoneFacts) -> Check:
    name = "model warmed up before anybody answered"
    if model.primed_s is None or phone.answered_ms is None:
        return Check(name, False, "never warmed up" if model.primed_s is None else "nobody answered")
    primed_ms, answered_ms = facts.shared_ms(model.primed_s), facts.call_ms(phone.answered_ms)
    evidence = f"warm after {primed_ms:,.0f} ms, answered after {answered_ms:,.0f} ms"
    late_ms = facts.late_ms(0, phone.answered_ms)
    return Check(name, primed_ms <= answered_ms + late_ms, evidence + lateness(late_ms))


def _context_last(model: ModelFacts) -> Check:
    static, _, last = model.instructions.rpartition("\n\n")
    ok = static == story.WAITING_LIST and last == story.CONTEXT
    evidence = f"{len(static)} characters that never change, then {len(last)} of this call"
    return Check("what this call is about is last in the prompt", ok, evidence)


def _saved(record: CallRecord) -> Check:
    evidence = f"warm session: {record.warm}; {record.warm_saved_ms:,} ms that nobody waited for"
    return Check(
        "the callee did not wait for the set-up", record.warm == "hit" and record.warm_saved_ms > 0, evidence
    )


def _callbacks(facts: Facts, phone: PhoneFacts) -> Check:
    sent = [status for purpose, status, _ in phone.requests if purpose == "status callback"]
    seen = [str(entry.fields["status"]) for entry in facts.notes("carrier")]
    wanted = len(PROGRESS) + 1
    # The agent has hung up, so the last one finds the call over, and is taken without a note.
    ok = len(sent) == wanted and all(200 <= status < 300 for status in sent) and seen[:3] == PROGRESS
    taken = sum(200 <= status < 300 for status in sent)
    evidence = f"{taken} of {wanted} taken; {', '.join(seen) or 'none'}, then the end"
    return Check("Twilio's progress reports seen", ok, evidence)


def _callee_first(facts: Facts, record: CallRecord, phone: PhoneFacts) -> Check:
    name = "the callee speaks first"
    if not phone.said or not phone.ear:
        return Check(name, False, "the callee said nothing" if not phone.said else "nothing was heard")
    after_ms = phone.ear[0][0] - sum(phone.said[0])
    heard = sum(answer.heard for answer in waterfall(facts))
    asked = [turn["asked"] for turn in record.turns]
    ok = after_ms > 0 and asked[:1] == ["caller"] and heard == len(story.GUEST_SAYS)
    turns = f"{heard} of {len(story.GUEST_SAYS)} turns answered"
    when = f"{after_ms:,.0f} ms after" if after_ms > 0 else f"{-after_ms:,.0f} ms before"
    return Check(name, ok, f"{when} their last sound; {turns}")


def _once_each(orders: list[str]) -> Check:
    counts = Counter(orders)
    ok = counts == Counter([story.GUEST, story.BUSY_GUEST])
    return Check(
        "nobody dialled twice", ok, f"2 calls wanted, {len(orders)} orders taken for {len(counts)} numbers"
    )


def _given_up(facts: Facts, record: CallRecord, model: ModelFacts, phone: PhoneFacts) -> Check:
    name = "a busy line is given up within a second"
    known = [entry.at_ms for entry in facts.notes("carrier") if entry.fields["status"] == "busy"]
    if record.reason is not EndReason.BUSY or not known:
        return Check(name, False, f"ended: {record.reason.value}")
    if model.closed_s is None:
        return Check(name, False, "the model session was never closed")
    ended_ms = max(0.0, record.duration_s * 1000 - known[0])
    closed_ms = max(0.0, facts.shared_ms(model.closed_s) - known[0])
    since_ms = facts.phone_ms(known[0])
    late_ms = facts.late_ms(since_ms, since_ms + max(ended_ms, closed_ms))
    ok = max(ended_ms, closed_ms) <= GIVE_UP_LIMIT_MS + late_ms and not phone.ear
    evidence = f"call over {ended_ms:,.0f} ms after Twilio said so, model session after {closed_ms:,.0f} ms"
    return Check(name, ok, evidence + lateness(late_ms))
