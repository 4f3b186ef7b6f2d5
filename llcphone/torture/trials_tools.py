"""Trials of tools that take their time: audio must not wait for them, nor they for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.sim.model import Say
from llcphone.sim.model.voice import babble
from llcphone.torture.rig import patience, until
from llcphone.torture.trials import tool_answers, trial

if TYPE_CHECKING:
    from llcphone.sim.model import ModelSession
    from llcphone.sim.model.script import Scripted
    from llcphone.torture.judge import Judge
    from llcphone.torture.profile import Profile
    from llcphone.torture.rig import Caller, Rig

CLEAR_MS = 300
AUDIO_MS = 500
SPARE_S = 0.7
"""Two tools at once may take this much longer than one."""
CREATE, ITEM = "response.create", "conversation.item.create"


def _slow(profile: Profile) -> Scripted:
    return tool_answers(profile, 1, [Say("One moment, I am looking.", 4_000)], Say("Yes, I am here.", 1_000))


def _two(profile: Profile) -> Scripted:
    return tool_answers(profile, 2, [], Say("Yes, I am here.", 1_000))


def _calls(session: ModelSession) -> list[str]:
    return [str(item.body["call_id"]) for item in session.items if item.type == "function_call"]


def _outputs(caller: Caller) -> dict[str, float]:
    """When each call's result was sent, in milliseconds of the call; the first counts."""
    found: dict[str, float] = {}
    for at_ms, event in caller.told(ITEM):
        item = event.get("item")
        if isinstance(item, dict) and item.get("type") == "function_call_output":
            found.setdefault(str(item.get("call_id")), at_ms)
    return found


async def _begin(rig: Rig, judge: Judge, count: int) -> Caller | None:
    """A call whose agent has just called its tools; None if it has none."""
    caller = await rig.ring_and_settle()
    if not rig.offers(caller.session, count):
        judge.not_applicable(f"no tool named {' or '.join(rig.profile.slow_tools[:count])}")
        return None
    await caller.ask()
    with patience(8, "the tool's call"):
        await caller.session.until(lambda: len(_calls(caller.session)) >= count)
    return caller


async def _judge_results(caller: Caller, judge: Judge, count: int, tool_s: float) -> dict[str, float]:
    """The results are sent once, and followed by one answer."""
    called = _calls(caller.session)[:count]
    with trio.move_on_after(count * tool_s + 3):
        await caller.session.until(lambda: set(called) <= _outputs(caller).keys())
    outputs = {call_id: at for call_id, at in _outputs(caller).items() if call_id in called}
    judge.must(len(outputs) == count, "the model never learns the result")
    if not outputs:
        return outputs
    before_ms = caller.voiced_ms
    with trio.move_on_after(3):
        await caller.sim.heard_audio(round(before_ms) + 400)
    judge.must(caller.voiced_ms > before_ms, "the result is never spoken of")
    await trio.sleep(1)
    creates = len(caller.told(CREATE, since_ms=min(outputs.values())))
    judge.figures["creates"] = creates
    judge.should(creates == 1, f"{creates} response.create for one answer")
    return outputs


@trial(
    "tool-slow",
    "The caller interrupts and asks while a tool runs for 3 s",
    "clear within 300 ms, the answer's audio within 500 ms",
    _slow,
    needs="slow_tools",
)
async def slow(rig: Rig, judge: Judge) -> None:
    caller = await _begin(rig, judge, 1)
    if caller is None:
        return
    session, called_ms = caller.session, caller.sim.log.now_ms
    await caller.hears(0.5)
    interrupted_ms = caller.sim.log.now_ms
    caller.sim.speak_nowait(babble(500))
    await until(lambda: session.caller_audio.hearing.speaking, 3, "the caller's speech at the model")
    started_ms, old = caller.sim.log.now_ms, session.responses[-1]
    await until(lambda: session.responses[-1] is not old, 5, "the model's next answer")
    reply = session.responses[-1]
    await until(lambda: reply.items and reply.items[0].generated_ms, 3, "the model's next audio")
    spoke_ms = caller.sim.log.now_ms

    def first(event: str, since_ms: float) -> int | None:
        found = (each.at_ms for each in caller.sim.received if each.event == event and each.at_ms >= since_ms)
        return next(found, None)

    with trio.move_on_after(rig.profile.tool_s + 2):
        while first("media", spoke_ms - 10) is None:  # noqa: ASYNC110
            await trio.sleep(0.01)
    clear_at, audio_at = first("clear", interrupted_ms), first("media", spoke_ms - 10)
    clear_ms = None if clear_at is None else max(0, clear_at - started_ms)
    audio_ms = None if audio_at is None else max(0, audio_at - spoke_ms)
    judge.figures |= {"clear_ms": clear_ms, "audio_ms": audio_ms}
    judge.must(clear_ms is not None and clear_ms <= CLEAR_MS, "the phone speaks on while the tool runs")
    judge.must(audio_ms is not None and audio_ms <= AUDIO_MS, "the caller's answer waits for the tool")
    outputs = await _judge_results(caller, judge, 1, rig.profile.tool_s)
    took = f"result after {(min(outputs.values()) - called_ms) / 1000:.1f} s" if outputs else "no result"
    judge.measured = f"clear after {_s(clear_ms)}, audio after {_s(audio_ms)}, {took}"


def _s(value_ms: int | None) -> str:
    return "never" if value_ms is None else f"{value_ms / 1000:.2f} s"


@trial(
    "tool-two",
    "Two tools of 3 s, asked for together",
    "both after 3 s, one response.create, none refused",
    _two,
    needs="slow_tools",
)
async def two(rig: Rig, judge: Judge) -> None:
    caller = await _begin(rig, judge, 2)
    if caller is None:
        return
    called_ms = caller.sim.log.now_ms
    outputs = await _judge_results(caller, judge, 2, rig.profile.tool_s)
    after_s = sorted((at_ms - called_ms) / 1000 for at_ms in outputs.values())
    judge.figures |= {f"output_{number}_s": after for number, after in enumerate(after_s, start=1)}
    judge.measured = "outputs at " + (", ".join(f"{each:.1f}" for each in after_s) or "no time") + " s"
    judge.measured += f", {judge.figures.get('creates', 0)} creates"
    late = bool(after_s) and after_s[-1] > rig.profile.tool_s + SPARE_S
    judge.must(not late, "one tool waits for the other")
