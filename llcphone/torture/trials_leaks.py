"""Trials of endings: what a bridge keeps open after the call.

A model session that stays open costs money by the minute, a descriptor that stays open ends the process some
day. Both are counted a while after the last caller has gone: the sessions at the model, the descriptors in
the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.sim.model import Faults, Say
from llcphone.sim.twilio import CallFaults
from llcphone.torture.rig import GaveUp, patience, until
from llcphone.torture.trials import GREETING, answers, tool_answers, trial

if TYPE_CHECKING:
    from llcphone.sim.model.script import Scripted
    from llcphone.torture.judge import Judge
    from llcphone.torture.profile import Profile
    from llcphone.torture.rig import Rig

SETTLE_S = 5.0
"""What a bridge gets to close everything."""
SPARE_DESCRIPTORS = 2
"""What may be opened once and kept for good reasons: a log, a database."""
BATCHES, BATCH = 4, 5
CONNECT_S = 2.0


async def _one_call(rig: Rig, how: CallFaults, talk_s: float) -> None:
    caller = rig.ring(faults=how)
    await caller.join()
    with trio.move_on_after(talk_s):
        await caller.sim.hears(talk_s)
    await caller.hang_up()


async def _before(rig: Rig, judge: Judge) -> int | None:
    """What an idle bridge has open, once it has held a call. One that never opens a session leaks none."""
    await _one_call(rig, CallFaults(), 1.0)
    reached = any(each.caller_audio.received_bytes or each.responses for each in rig.model.sessions)
    judge.must(reached, "the bridge never reaches the model")
    await trio.sleep(2)
    return rig.descriptors


def _count(rig: Rig, judge: Judge, descriptors: int | None) -> None:
    left, now = rig.sessions_left, rig.descriptors
    judge.figures["sessions_left"] = left
    judge.must(left <= 0, f"{left} model sessions stay open, and are paid for")
    more = None if now is None or descriptors is None else now - descriptors
    judge.figures["descriptors_more"] = more
    judge.measured = f"{left} sessions left"
    if more is not None:
        judge.measured += f", {more:+d} descriptors"
        judge.must(more <= SPARE_DESCRIPTORS, f"{more} descriptors stay open")


@trial(
    "leak-hang-ups",
    "Twenty callers hang up",
    "5 s later: no model session, no descriptor",
    answers(GREETING),
)
async def hang_ups(rig: Rig, judge: Judge) -> None:
    """Half of them take leave properly, half vanish without a ``stop``."""
    before = await _before(rig, judge)
    for number in range(BATCHES):
        async with trio.open_nursery() as nursery:
            for _ in range(BATCH):
                nursery.start_soon(_one_call, rig, CallFaults(no_stop=number % 2 == 1), 1.0)
    await trio.sleep(SETTLE_S)
    _count(rig, judge, before)


@trial(
    "leak-connecting",
    "Five callers gone while the model connects (2 s)",
    "no model session, no descriptor",
    answers(GREETING),
)
async def while_connecting(rig: Rig, judge: Judge) -> None:
    before = await _before(rig, judge)
    rig.model.faults = Faults(handshake_delay_s=CONNECT_S)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(_gone_early, rig)
    await trio.sleep(CONNECT_S + SETTLE_S)
    _count(rig, judge, before)


async def _gone_early(rig: Rig) -> None:
    """A bridge that connects before it takes the stream has not joined yet: all the same, gone."""
    caller = rig.ring()
    await caller.sim.answered()
    with trio.move_on_after(CONNECT_S / 2):
        await caller.sim.stream_started()
    await trio.sleep(0.3)
    await caller.hang_up()


def _early_script(profile: Profile) -> Scripted:
    return tool_answers(profile, min(1, len(profile.slow_tools)), [], Say("Yes.", 600))


@trial(
    "leak-early",
    "Hang-up before the stream, before start, before session.updated, in mid-tool",
    "no model session, no descriptor",
    _early_script,
)
async def early(rig: Rig, judge: Judge) -> None:
    before = await _before(rig, judge)
    never_came = rig.ring(faults=CallFaults(connect_delay_s=30))
    await never_came.sim.answered()
    await trio.sleep(0.3)
    await never_came.hang_up()

    not_started = rig.ring(faults=CallFaults(no_start=True))
    await until(lambda: not_started.sim.stream and not_started.sim.stream.is_open, 10, "the stream's upgrade")
    await trio.sleep(0.3)
    await not_started.hang_up()

    rig.model.faults = Faults(ack_delay_s=3)
    not_configured = rig.ring()
    await not_configured.join()
    await trio.sleep(0.4)
    await not_configured.hang_up()
    rig.model.faults = Faults()

    judge.figures["mid_tool"] = "tried" if await _leave_in_mid_tool(rig) else "no such tool"
    await trio.sleep(max(SETTLE_S, rig.profile.stream_deadline_s + 2))
    _count(rig, judge, before)
    judge.must(not rig.twilio.open_streams, "a media stream is still open")


async def _leave_in_mid_tool(rig: Rig) -> bool:
    caller = await rig.ring_and_settle()
    if has_tool := rig.offers(caller.session, 1):
        await caller.ask()
        try:
            with patience(8, "the tool's call"):
                await caller.session.until(
                    lambda: any(item.type == "function_call" for item in caller.session.items)
                )
        except GaveUp:
            has_tool = False
        await trio.sleep(0.5)
    await caller.hang_up()
    return has_tool
