"""``<Dial>``: a party is called and joined, or a room is entered; then ``action`` is asked.

The dialled party first hears the document of ``<Number url>``, in which it may have to press a key; a
document that ends without ``<Hangup>`` joins the two. What ``DialCallStatus`` says of a party that hung up in
it is not documented: ``DialOutcome.unjoined`` chooses. Nor is it documented that a caller who hangs up
meanwhile is reported to ``action``, with ``CallStatus`` ``completed``; it is assumed, and the answer ignored.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import trio

from llcphone.sim.twilio import twiml
from llcphone.sim.twilio.conference import confer
from llcphone.sim.twilio.steps import Fetch, Step, absolute, action_of, make_sid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.sim.twilio.call import SimCall
    from llcphone.sim.twilio.steps import DialOutcome, Document
    from llcphone.sim.twilio.twiml import Verb

    FetchDocument = Callable[[SimCall, Fetch], Awaitable[Document | None]]

SAY_S_PER_WORD = 0.4
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_WITHHELD = {"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"}
"""Sent in place of a withheld number. Whether Twilio shows them is not documented: here it does not."""
_DOCUMENTS = 10
"""Of one whisper."""


async def dial(call: SimCall, verb: Verb, base: str, fetch: FetchDocument) -> Step | None:
    """One ``<Dial>``, to its end or that of the call."""
    noun = verb.children[0] if verb.children else verb
    call.record.dialled.append(noun.text)
    params = {"DialCallStatus": "failed", "DialBridged": "false"}
    try:
        if noun.name == "Conference":
            await confer(call, noun, base)
            params = {"DialCallStatus": "answered", "DialBridged": "true"}
        elif _may_dial(call, verb, noun):
            params = await _ring(call, verb, noun, base, fetch)
    finally:
        action = action_of(verb, base, params)
        if call.hung_up and action is not None:
            over = {**params, "DialCallStatus": "no-answer", "CallStatus": "completed"}
            call.notify(action.purpose, action.url, call.form(over), action.method)
    return action


def _may_dial(call: SimCall, verb: Verb, noun: Verb) -> bool:
    exchange, caller_id = call.exchange, verb.get("callerId")
    own = {*exchange.own_numbers, call.fields["From"], call.fields["To"]}
    if caller_id and caller_id not in own:
        call.log.error(13214, "<Dial callerId> is not a number of the account, nor of this call")
        return False
    if noun.name in {"Number", "Dial"}:
        shown = caller_id or call.fields["From"]
        if not _E164.fullmatch(shown) or shown in _WITHHELD:
            call.log.error(13214, "<Dial> of a telephone number without a caller ID that is one")
            return False
        if not _E164.fullmatch(noun.text):
            call.log.error(13223, "<Dial> of what is not a telephone number")
            return False
    if not 1 <= verb.number("timeout", 30) <= 600:
        call.log.error(13212, "<Dial timeout> out of range")
        return False
    return True


async def _ring(call: SimCall, verb: Verb, noun: Verb, base: str, fetch: FetchDocument) -> dict[str, str]:
    """Ring, whisper, talk; what ``action`` receives of it."""
    number, child_sid = noun.text, make_sid("CA")
    outcome = call.exchange.dial_outcome(number)
    ring_limit_s = verb.number("timeout", 30)
    call.log.event("the dialled party's telephone rings")
    if call.handset is not None:
        status = await call.handset.dial(number, ring_limit_s)
    else:
        status = outcome.status if outcome.ring_s < ring_limit_s else "no-answer"
        await trio.sleep(min(outcome.ring_s, ring_limit_s))
    bridged, talked_s = status == "completed", 0.0
    if bridged and noun.get("url"):
        first = Fetch(
            "whisper",
            absolute(base, noun.get("url")),
            noun.get("method", "POST").upper(),
            {"CallSid": child_sid, "ParentCallSid": call.sid, "To": number, "Called": number},
        )
        presses = outcome.presses if call.handset is None else "1"  # its holder has said that they answer
        bridged = await _whisper(call, first, presses, fetch) and not outcome.leaves
        status = status if bridged else outcome.unjoined
    if bridged:
        call.log.event("the two are joined")
        call.record.joined.append(number)
        talked_s = await _talk(call, number, outcome, verb.number("timeLimit", 14400))
    params = {"DialCallStatus": status, "DialCallSid": child_sid}
    params["DialBridged"] = "true" if bridged else "false"
    if status == "completed":
        params["DialCallDuration"] = str(round(talked_s))
    return params


async def _talk(call: SimCall, number: str, outcome: DialOutcome, limit_s: float) -> float:
    """Until the dialled party hangs up; how long it took."""
    began_at = trio.current_time()
    if call.handset is not None:
        await call.handset.talk(number, limit_s)
    else:
        await trio.sleep(min(outcome.talk_s, limit_s))
    return trio.current_time() - began_at


async def _whisper(call: SimCall, step: Fetch, presses: str, fetch: FetchDocument) -> bool:
    """What the dialled party hears before it is joined; False: it is not joined."""
    for _ in range(_DOCUMENTS):
        document = await fetch(call, step)
        if document is None:
            return False
        call.record.documents.append(document.text)
        try:
            verbs = twiml.parse(document.text, call.log.error)
        except twiml.BadTwiML as bad:
            call.log.error(bad.code, bad.text)
            return False
        following = None
        for verb in verbs:
            match verb.name:
                case "Say" | "Play" | "Pause":
                    if verb.text:
                        call.log.show("whisper", text=verb.text)
                    await trio.sleep(len(verb.text.split()) * SAY_S_PER_WORD)
                case "Gather":
                    for each in verb.children:
                        call.log.show("whisper", text=each.text)
                    await trio.sleep(sum(len(each.text.split()) for each in verb.children) * SAY_S_PER_WORD)
                    if presses:
                        keys = {"Digits": presses[: verb.number("numDigits", len(presses))]}
                        url = absolute(document.url, verb.get("action"))
                        following = Fetch("whisper key", url, "POST", {**step.params, **keys})
                        break
                    await trio.sleep(verb.number("timeout", 5))
                case "Hangup":
                    return False
                case "Redirect":
                    following = Fetch("whisper", absolute(document.url, verb.text), "POST", step.params)
                    break
                case name:
                    call.log.error(13201, f"<{name}> may not stand in what a dialled party hears")
        if following is None:
            return True
        step = following
    return False
