"""The provider fails while calls wait for an answer: do they all talk again, and how often is it asked?

    python -m bench.illness [--calls 20]

Whole calls over loopback sockets with both vendors simulated, in virtual time, with the provider's delays
injected: 300 ms for a handshake, 50 ms for ``session.updated``, 400 ms to the first audio. All callers have
asked, and at the same moment no response is given any more: it fails, it fails and the text or
``rate_limits.updated`` names the wait, an ``error`` comes instead of it, or the connection ends with it.

Nothing here relies on llcphone: the answer has a sound of its own, which the caller hears or not, and
every ask is counted by the simulated provider, with its time.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from typing import TYPE_CHECKING, Any

import attrs
import trio
import trio.testing

from llcphone import Agent
from llcphone.sim.model import Faults, Illness, Pace, Say
from tests.calls.stage import QUESTION, rehearsal

if TYPE_CHECKING:
    from llcphone.sim.model import ModelSession
    from llcphone.tools.call_handle import CallHandle
    from tests.calls.stage import Rehearsal

SECONDS = (1.0, 3.0, 6.0)
HANDSHAKE_S, UPDATED_S, FIRST_AUDIO_MS = 0.3, 0.05, 400
ANSWER = b"\x31\xb1" * 4_000
"""A second of a sound that nothing else has."""

PAUSES_S = (0.25, 0.5, 1.0, 2.0)
SHORTEST = 0.75
"""The pauses that docs/reliability.md names, and how much shorter chance may make one."""

KINDS: dict[str, dict[str, Any]] = {
    "failed": {},
    "failed, wait named in words": {
        "code": "rate_limit_exceeded",
        "message": "Rate limit reached. Please try again in {left}.",
    },
    "failed, wait named by limits": {"code": "rate_limit_exceeded", "names_limits": True},
    "error instead": {"how": "error"},
    "reset": {"how": "reset"},
    "closed with 1011": {"how": "close"},
    "closed as busy": {"how": "close", "close_with": 1013, "message": "slow_down"},
}


@attrs.define
class Outcome:
    kind: str
    seconds: float
    talking: int = 0
    """Calls whose caller heard the answer."""
    back_ms: list[int] = attrs.field(factory=list)
    """From the first refused answer to the first sound of one, call by call."""
    asks: list[int] = attrs.field(factory=list)
    """Responses that were begun or asked for while it was ill, call by call."""
    sessions: int = 0
    """Opened from the first refused answer on."""
    too_soon: int = 0
    """Asks of one call that followed each other faster than the pauses say."""


def speak(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
    """The model greets, and then answers."""
    greeted = any(item.get("role") == "assistant" for item in past)
    return Say("We open at nine.", ANSWER) if greeted else Say("Good morning!")


def number_of(session: ModelSession) -> str:
    """Whose session it is, by its instructions."""
    return str(session.config["instructions"]).rpartition("call ")[2]


def fall_ill(stage: Rehearsal, illness: Illness, **delays: Any) -> None:
    stage.model.faults = Faults(illness=illness, **delays)
    for session in stage.model.sessions:
        session.faults.illness = illness


async def hold(stage: Rehearsal, kind: str, seconds: float, calls: int) -> Outcome:
    outcome = Outcome(kind, seconds)
    sims = [await stage.ring() for _ in range(calls)]
    for sim in sims:
        await sim.heard_audio(300)
    await trio.sleep(3)
    facts, delays = KINDS[kind], {"handshake_delay_s": HANDSHAKE_S}
    fall_ill(stage, Illness(math.inf, **facts), **delays)
    asked_s = trio.current_time()
    for sim in sims:
        sim.speak_nowait(QUESTION)
    first = stage.model.sessions[0]
    await first.until(lambda: first.asked_s[-1] >= asked_s)
    ill_s = min(itertools.chain(*asks_since(stage, asked_s).values()))
    fall_ill(stage, Illness(ill_s + seconds, **facts), **delays)
    before = len(stage.model.sessions)
    began_ms = sims[0].log.now_ms
    await trio.sleep(seconds + 12)
    for sim in sims:
        heard = [start for start, audio in sim.ear if ANSWER[:160] in audio]
        outcome.talking += bool(heard)
        outcome.back_ms += [round(heard[0] - began_ms)] if heard else []
        sim.hang_up()
    outcome.sessions = len(stage.model.sessions) - before
    for times in asks_since(stage, asked_s).values():
        ill = [each for each in times if each < ill_s + seconds]
        outcome.asks.append(len(ill))
        outcome.too_soon += sum(
            after - before < SHORTEST * PAUSES_S[min(index, 3)] - 0.01
            for index, (before, after) in enumerate(itertools.pairwise(ill[allowed_at_once(facts) :]))
        )
    return outcome


def allowed_at_once(facts: dict[str, Any]) -> int:
    """A lost session is replaced at once the first time, unless the server has asked for time."""
    return 1 if facts.get("how") in ("reset", "close") else 0


def asks_since(stage: Rehearsal, since_s: float) -> dict[str, list[float]]:
    """When each call's answers were asked for, by us or by turn detection, as the provider saw it."""
    asks: dict[str, list[float]] = {}
    for session in stage.model.sessions:
        times = [each for each in session.asked_s if each >= since_s]
        if times:
            asks.setdefault(number_of(session), []).extend(times)
    return {call: sorted(times) for call, times in asks.items()}


async def run(kind: str, seconds: float, calls: int) -> Outcome:
    """One illness in a stage of its own."""
    agent = Agent("You are the bakery.")
    numbers = itertools.count(1)

    @agent.brief
    def brief(call: CallHandle) -> str:
        return f"call {next(numbers)}"

    async with rehearsal(
        agent=agent,
        script=speak,
        faults=Faults(handshake_delay_s=HANDSHAKE_S),
        pace=Pace(3.0, first_audio_ms=FIRST_AUDIO_MS, ack_delay_s=UPDATED_S),
    ) as stage:
        return await hold(stage, kind, seconds, calls)


def report(outcome: Outcome, calls: int) -> bool:
    """Print one line; whether it is as it must be."""
    slowest = max(outcome.back_ms, default=0)
    print(
        f"{outcome.kind:30} ill {outcome.seconds:.0f} s: {outcome.talking:2} of {calls} talk again,"
        f" the last after {slowest:5} ms; asks per call at most {max(outcome.asks, default=0)},"
        f" new sessions {outcome.sessions:3}, too soon {outcome.too_soon}",
        flush=True,
    )
    return outcome.talking == calls and not outcome.too_soon


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.illness", description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=20)
    options = parser.parse_args()
    good = True
    for kind in KINDS:
        for seconds in SECONDS:
            clock = trio.testing.MockClock(autojump_threshold=0)
            outcome = trio.run(run, kind, seconds, options.calls, clock=clock)
            good = report(outcome, options.calls) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
