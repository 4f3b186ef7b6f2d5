"""Trials of barge-in: does the phone fall silent, and does the model learn what was really heard?

Heard is the agent's voice that the simulator played before the ``clear`` removed the rest. A truncation
after that point makes the model believe in words that the caller did not hear; one before it makes it repeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.sim.model import Pace, Say
from llcphone.torture.rig import SPEECH, until
from llcphone.torture.trials import answers, trial

if TYPE_CHECKING:
    from llcphone.sim.twilio import Received
    from llcphone.torture.judge import Judge
    from llcphone.torture.rig import Caller, Rig

TOLERANCE_MS = 100
"""One whole chunk of 100 ms; marks every 200 ms with the time since give 20."""
CLEAR_MS = 300
"""From the model's ``speech_started`` to the phone's ``clear``."""
LATE_MS = 20
"""One frame; the clear's own moment is known to the millisecond."""
LONG = Say("This is a very long answer that nobody wants to hear to its end.", 10_000)
TRUNCATE = "conversation.item.truncate"


@attrs.frozen
class BargeIn:
    """What a bridge made of one."""

    heard_ms: float
    """Of the reply, as the caller heard it."""
    clear_ms: float | None
    """From ``speech_started`` to ``clear``; None: it never came."""
    told_ms: int | None
    """``audio_end_ms``; None: no truncate was sent."""
    right_item: bool
    refused: bool


async def barge_in(caller: Caller, after_s: float) -> BargeIn:
    """Hear this much of a reply that is about to come, then speak; returns when the bridge has acted."""
    session, before_ms = caller.session, caller.voiced_ms
    await caller.hears(after_s)
    began_ms = caller.sim.log.now_ms
    caller.sim.speak_nowait(SPEECH)
    await until(lambda: session.caller_audio.hearing.speaking, 3, "the caller's speech at the model")
    started_ms = caller.sim.log.now_ms
    reply = [each for each in session.items if each.is_spoken][-1]
    with trio.move_on_after(2.5):
        while not (_clears(caller, began_ms) and caller.told(TRUNCATE, began_ms)):  # noqa: ASYNC110
            await trio.sleep(0.01)
    clears, told = _clears(caller, began_ms), caller.told(TRUNCATE, began_ms)
    moments: list[float] = [each.at_ms for each in clears] or [at for at, _ in told]
    heard_ms = caller.voiced_at(moments[0] if moments else caller.sim.log.now_ms) - before_ms
    return BargeIn(
        heard_ms=heard_ms,
        clear_ms=max(0, clears[0].at_ms - started_ms) if clears else None,
        told_ms=int(told[0][1].get("audio_end_ms") or 0) if told else None,
        right_item=bool(told) and told[0][1].get("item_id") == reply.id,
        refused=bool(told) and reply.truncated_ms is None,
    )


def _clears(caller: Caller, since_ms: float) -> list[Received]:
    return [each for each in caller.sim.received if each.event == "clear" and each.at_ms >= since_ms]


def judge_barge_in(judge: Judge, seen: BargeIn) -> None:
    """Did the phone fall silent at once, and did the model learn what was heard?"""
    judge.figures |= {"heard_ms": seen.heard_ms, "audio_end_ms": seen.told_ms, "clear_ms": seen.clear_ms}
    told = "no truncate" if seen.told_ms is None else f"truncate at {seen.told_ms} ms"
    clear = "no clear" if seen.clear_ms is None else f"clear after {seen.clear_ms:.0f} ms"
    judge.measured = f"heard {seen.heard_ms:.0f} ms: {told}, {clear}"
    judge.must(seen.clear_ms is not None, "the phone speaks on over the caller")
    if seen.clear_ms is not None:
        judge.should(seen.clear_ms <= CLEAR_MS, "the phone speaks on for too long")
    if seen.told_ms is None:
        judge.must(False, "the model believes that all of it was heard")
        return
    wrong_ms = seen.told_ms - seen.heard_ms
    beyond = "what the caller did not hear" if wrong_ms > 0 else "too little"
    judge.must(abs(wrong_ms) <= TOLERANCE_MS, f"the model believes in {beyond}: {wrong_ms:+.0f} ms")
    judge.must(seen.right_item, "another item was truncated")
    judge.must(not seen.refused, "the truncate was refused")


@trial(
    "barge-in-first",
    "First reply interrupted, 1.9 to 2.0 s heard of 10 s sent",
    "truncate within 100 ms of what was heard, clear within 300 ms",
    answers(LONG),
)
async def first(rig: Rig, judge: Judge) -> None:
    caller = await rig.ring_and_settle()
    await caller.ask()
    judge_barge_in(judge, await barge_in(caller, 1.87))


@trial(
    "barge-in-second",
    "Second reply interrupted, 0.9 to 1.0 s heard",
    "truncate within 100 ms of what was heard, clear within 300 ms",
    answers(LONG),
)
async def second(rig: Rig, judge: Judge) -> None:
    """Where clocks are not reset, the first reply's time counts again."""
    caller = await rig.ring_and_settle()
    await caller.ask()
    await barge_in(caller, 1.87)
    judge_barge_in(judge, await barge_in(caller, 0.87))


@trial(
    "barge-in-none",
    "A reply heard to its end, then the caller speaks",
    "no truncate",
    answers(Say("A short answer.", 1_000)),
)
async def to_the_end(rig: Rig, judge: Judge) -> None:
    caller = await rig.ring_and_settle()
    await caller.ask()
    await caller.hears(1.0)
    await caller.sim.silence_for(700)
    await caller.ask()
    await caller.hears()
    needless = [event.get("audio_end_ms") for _, event in caller.told(TRUNCATE)]
    judge.figures["truncates"] = len(needless)
    judge.measured = f"truncate at {needless[0]} ms" if needless else "no truncate"
    judge.must(not needless, "an item that was heard to its end is cut")


@trial(
    "barge-in-late-deltas",
    "Audio still on its way when the caller interrupts",
    "none of it is heard after the clear",
    answers(LONG),
    pace=Pace(speed=2, first_audio_ms=50),
)
async def late_deltas(rig: Rig, judge: Judge) -> None:
    """The vendor stops generating at ``speech_started``; what left before still arrives."""
    caller = await rig.ring_and_settle()
    session = caller.session
    session.faults.late_deltas = 5
    await caller.ask()
    await caller.hears(1.0)
    began_ms, old = caller.sim.log.now_ms, session.responses[-1]
    caller.sim.speak_nowait(SPEECH)
    await until(lambda: session.responses[-1] is not old, 8, "the next answer")
    over_ms, clears = caller.sim.log.now_ms, _clears(caller, began_ms)
    judge.must(bool(clears), "the phone speaks on over the caller")
    cut_ms = clears[0].at_ms if clears else began_ms
    late_ms = caller.voiced_at(over_ms) - caller.voiced_at(cut_ms)
    judge.figures["late_ms"] = late_ms
    judge.measured = f"{late_ms:.0f} ms heard after the clear"
    judge.must(late_ms <= LATE_MS, "the interrupted answer comes back")
    await caller.hears()
