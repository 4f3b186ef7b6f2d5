"""Questions about webhooks: what Twilio asks after a lost stream, and whether it tries again."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import trio

from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.question import Bound, Part, Question
from llcphone.certify.telephone.line import CALL_S, RING_S
from llcphone.certify.telephone.port import Webhook, twiml
from llcphone.server.request import bare_answer
from llcphone.twilio.twiml import hang_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.certify.site import Site

TRIES = 3
OVERRIDES = f"#rc={TRIES - 1}&rp=all"
"""Two more tries after every kind of failure."""
ASKED_WITHIN_S = 20.0
RETRIED_WITHIN_S = 15.0
"""Twilio gives all tries of a webhook 15 s (twilio.com/docs/usage/webhooks/webhooks-connection-overrides)."""

_ONE = Bound(calls=1, call_s=CALL_S)


def _fails(times: int) -> Callable[[Webhook], bytes]:
    """Answers so many requests with an error of the server, and then hangs up."""
    left = [times]

    def answer(_: Webhook) -> bytes:
        left[0] -= 1
        return bare_answer(503) if left[0] >= 0 else twiml(hang_up())

    return answer


def _pauses_ms(requests: list[Webhook]) -> list[int]:
    times = [each.at_s for each in requests]
    return [round((after - before) * 1000) for before, after in pairwise(times)]


async def lost_stream(site: Site) -> Answer:
    """The called leg's stream breaks off; its action URL fails twice before it answers."""
    line = site.the_line
    action = line.path()
    line.port.answers[action] = _fails(TRIES - 1)
    async with line.legs(action=action + OVERRIDES) as legs:
        await trio.sleep(2.0)
        began_s = trio.current_time()
        legs.callee.leg.abort()
        port = line.port
        asked = await port.until(lambda: bool(port.asked(action)), ASKED_WITHIN_S)
        if asked:
            await port.until(lambda: len(port.asked(action)) >= TRIES, RETRIED_WITHIN_S)
        requests = port.asked(action)
    if not requests:
        seen = f"no request within {ASKED_WITHIN_S:.0f} s after the stream was lost"
        return Answer("not_asked", seen, {"journal.enabled": True, "shared.sweep": True})
    after_ms, pauses = round((requests[0].at_s - began_s) * 1000), _pauses_ms(requests)
    seen = f"asked {after_ms} ms after the loss; {len(requests)} tries, pauses {pauses or 'none'} ms"
    word = "asked_again" if pauses else "asked_once"
    settings = {"journal.enabled": True, "shared.sweep": not pauses}
    return Answer(word, seen, settings, {"after_ms": after_ms, "pauses_ms": pauses})


async def overrides(site: Site) -> Answer:
    """A call whose voice URL asks for more tries, and fails."""
    line = site.the_line
    path = line.path()
    line.port.answers[path] = _fails(TRIES - 1)
    line.answer_calls()
    port = line.port
    async with line.placed(path, fragment=OVERRIDES):
        if not await port.until(lambda: bool(port.asked(path)), RING_S + 10.0):
            raise Unanswered("not_asked")
        await port.until(lambda: len(port.asked(path)) >= TRIES, RETRIED_WITHIN_S)
    pauses = _pauses_ms(port.asked(path))
    line.reject_calls()
    seen = f"{len(pauses) + 1} tries, pauses {pauses or 'none'} ms"
    return Answer("heeded" if len(pauses) == TRIES - 1 else "ignored", seen, facts={"pauses_ms": pauses})


QUESTIONS = (
    Question(
        id="lost_stream",
        part=Part.TELEPHONE,
        asks="Does Twilio ask the action URL after an abrupt loss of the stream, and how long does it pause "
        "between retries?",
        how="places a call, breaks its media stream, and lets the action URL fail twice",
        answers={
            "asked_again": "Twilio asks the action URL after a lost stream, and tries again if that fails",
            "asked_once": "Twilio asks the action URL after a lost stream, but only once",
            "not_asked": "Twilio does not ask the action URL after a lost stream",
        },
        settings=("journal.enabled", "shared.sweep"),
        bound=_ONE,
        limit_s=150.0,
        ask=lost_stream,
    ),
    Question(
        id="overrides",
        part=Part.TELEPHONE,
        asks="Do retries in the number's URL (`#rc=`) work for voice webhooks?",
        how="places a call whose voice URL asks for two retries, and fails twice",
        answers={
            "heeded": "a voice URL with #rc= is tried again: give it to the number in Twilio's console",
            "ignored": "a voice URL with #rc= is not tried again as often as it asks for",
        },
        bound=_ONE,
        limit_s=120.0,
        ask=overrides,
    ),
)
