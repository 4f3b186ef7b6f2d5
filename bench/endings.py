"""Calls ended in every way, at random moments: what stays behind, and is there a record of each?

    python -m bench.endings --calls 2000 [--seed 7] [--at-once 40] [--pair fast/fast]

Whole calls over loopback sockets, both vendors simulated, in virtual time. Each call has a moment at which
it is ended and a way in which it is. Afterwards the process must have the same tasks and the same descriptors
as before, by name and by kind, and one record for every call, with a reason that its ending explains.
"""

from __future__ import annotations

import argparse
import gc
import logging
import random
import sys
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio
import trio.testing

from bench.endings_plan import ACK_S, CELLS, EXPECTED, HANDSHAKE_S, SALT, E, M, Plan
from llcphone import Agent, CallHandle
from llcphone.sim.model import CallTool, Faults, Pace, Say
from tests.calls.stage import JUST_END, TRANSPORTS, open_fds, rehearsal, task_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from llcphone import Call
    from llcphone.sim.twilio import SimCall
    from tests.calls.stage import Rehearsal

PATIENCE_S = 120.0
SETTLE_S = 8.0
"""The simulators' own closing takes up to 5 s."""


@attrs.define
class Outcome:
    """What became of a crowd of calls of several kinds."""

    calls: int
    transports: tuple[str, str] = TRANSPORTS[0]
    seconds: float = 0.0
    records: Counter[tuple[Any, str]] = attrs.field(factory=Counter)
    """By kind and reason."""
    asked: Counter[Any] = attrs.field(factory=Counter)
    strange: list[str] = attrs.field(factory=list)
    """Calls without a record, or with a reason their ending does not explain; whatever else should not be."""
    tasks: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    """Before and after."""
    fds: tuple[Counter[str], Counter[str]] = (Counter(), Counter())

    @property
    def clean(self) -> bool:
        same = self.tasks[0] == self.tasks[1] and self.fds[0] == self.fds[1]
        return same and not self.strange and self.records.total() == self.calls

    async def hold(
        self, plans: Iterable[Any], hold: Callable[[Any], Awaitable[None]], at_once: int, after_s: float = 0
    ) -> None:
        """Hold a call for each plan, and count what was there before and what is ``after_s`` afterwards."""
        before = await count()
        limiter = trio.CapacityLimiter(at_once)

        async def held(plan: Any, task_status: trio.TaskStatus[None]) -> None:
            async with limiter:
                task_status.started()
                await hold(plan)

        async with trio.open_nursery() as nursery:
            for plan in plans:
                await nursery.start(held, plan)
        await trio.sleep(after_s)
        after = await count()
        self.tasks, self.fds = (before[0], after[0]), (before[1], after[1])

    def reasons(self, kind: Any) -> tuple[int, str]:
        """How many records there are of a kind, and the reasons in them."""
        found = sorted((reason, n) for (each, reason), n in self.records.items() if each == kind)
        return sum(n for _, n in found), ", ".join(f"{reason} {n}" for reason, n in found)

    def left(self) -> Iterable[str]:
        """Tasks and descriptors, line by line."""
        for what, (before, after) in {"tasks": self.tasks, "descriptors": self.fds}.items():
            sockets = f" ({before['socket']} and {after['socket']} sockets)" if what == "descriptors" else ""
            yield f"{what}: {before.total()} before, {after.total()} after{sockets}"
            if left := after - before:
                yield f"left: {dict(left)}"


async def run_crowd(calls: int, seed: int, transports: tuple[str, str], *, at_once: int = 40) -> Outcome:
    """Hold and end this many calls; every cell has its turn, in random order."""
    rng = random.Random(seed)
    cells = [CELLS[number % len(CELLS)] for number in range(calls)]
    rng.shuffle(cells)
    plans = {
        plan.caller: plan
        for number, cell in enumerate(cells)
        for plan in [Plan(number, *cell, offset=rng.random())]
    }
    outcome = Outcome(calls, transports)
    began = time.perf_counter()
    tasks, fds = await count()
    async with rehearsal(
        agent=make_agent(plans),
        script=lambda turn, past, tools: [Say("Once upon a time.", 2_000), CallTool("look_up")],
        transports=transports,
        faults=Faults(handshake_delay_s=HANDSHAKE_S),
        pace=Pace(ack_delay_s=ACK_S),
        realtime={"safety_salt": SALT},
        call={"token_ttl_s": 5.0},
        recovery=JUST_END,
        breaker={"failures": 0},  # a lost model is an ending here, not an episode
    ) as stage:
        stage.model.keep_audio = stage.twilio.keep_audio = False
        await outcome.hold(plans.values(), partial(hold, stage, outcome), at_once)
        if len(stage.records) != calls:
            outcome.strange.append(f"{len(stage.records)} records of {calls} calls")
    if await count() != (tasks, fds):
        outcome.strange.append("the stage itself left something behind")
    outcome.seconds = time.perf_counter() - began
    return outcome


def make_agent(plans: dict[str, Plan]) -> Agent:
    """An agent whose tool and hook do what the call's plan says."""
    agent = Agent("You tell long stories.")

    @agent.tool
    async def look_up(call: CallHandle) -> str:
        plan = plans[call.caller]
        plan.in_tool.set()
        if plan.ending is E.TOOL:
            await plan.now.wait()
            raise LookupError("planted")
        await trio.sleep(3)
        return "nothing"

    @agent.on_start
    async def wait_for_trouble(call: CallHandle) -> None:
        plan = plans[call.caller]
        if plan.ending is E.HOOK:
            await plan.now.wait()
            raise LookupError("planted")

    return agent


async def hold(stage: Rehearsal, outcome: Outcome, plan: Plan) -> None:
    """One call from the ring to its record."""
    outcome.asked[plan.moment, plan.ending] += 1
    sim = await stage.twilio.ring(from_=plan.caller, faults=plan.faults())
    call = next(call for call in stage.phone.calls() if call.caller == plan.caller)
    with trio.move_on_after(PATIENCE_S) as patience:
        await reach(plan, sim)
        await end(stage, plan, sim, call)
        record = await call.wait()
        outcome.records[(plan.moment, plan.ending), record.reason.value] += 1
        if record.reason not in EXPECTED[plan.ending]:
            outcome.strange.append(f"{plan.moment.value}, {plan.ending.value}: {record.reason.value}")
    if patience.cancelled_caught:
        outcome.strange.append(f"no record: {plan.moment.value}, {plan.ending.value}")
    sim.hang_up()  # one that has vanished still holds its socket
    await sim.ended()


async def reach(plan: Plan, sim: SimCall) -> None:
    """Wait until the call is where it shall be ended."""
    match plan.moment:
        case M.BORN:
            await trio.sleep(2.5 * plan.offset)
        case M.BEFORE_START:
            await trio.sleep(0.05 + plan.offset)
        case M.CONNECTING:
            await trio.sleep(0.02 + (HANDSHAKE_S - 0.03) * plan.offset)
        case M.BEFORE_UPDATED:
            await trio.sleep(HANDSHAKE_S + 0.01 + (ACK_S - 0.02) * plan.offset)
        case M.MID_ANSWER:
            await sim.heard_audio(1)
            await trio.sleep(1.5 * plan.offset)
        case M.IN_TOOL:
            await plan.in_tool.wait()
            await trio.sleep(2.5 * plan.offset)


async def end(stage: Rehearsal, plan: Plan, sim: SimCall, call: Call) -> None:
    match plan.ending:
        case E.STOP | E.CLOSE:
            sim.hang_up()
        case E.RESET:
            sim.drop()
        case E.VANISH:
            sim.vanish()
        case E.MODEL_CLOSE | E.MODEL_RESET:
            await lose_model(stage, plan, call)
        case E.CANCEL:
            assert call.run._core._nursery is not None
            call.run._core._nursery.cancel_scope.cancel()
        case E.TOOL:
            plan.now.set()
            await trio.sleep(1)  # the call continues
            sim.hang_up()
        case E.HOOK:
            plan.now.set()


async def lose_model(stage: Rehearsal, plan: Plan, call: Call) -> None:
    """Every session of this call, as soon as it is there: until it is configured, a lost one is replaced."""
    while call.record is None:
        for session in stage.model.sessions[-200:]:
            if session.is_open and plan.owns(session):
                if plan.ending is E.MODEL_CLOSE:
                    session.close(1011)
                else:
                    session.reset()
        await trio.sleep(0.1)


async def count() -> tuple[Counter[str], Counter[str]]:
    """Tasks by name and descriptors by kind, when everything has settled."""
    await trio.sleep(SETTLE_S)
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    return task_names(), open_fds()


# -- a person runs it ---------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and print what became of the calls; 1 when something was left behind."""
    parser = argparse.ArgumentParser(prog="python -m bench.endings", description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000, help="in all, shared by the transport pairs")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--at-once", type=int, default=40)
    parser.add_argument("--pair", choices=["/".join(pair) for pair in TRANSPORTS], help="only this one")
    options = parser.parse_args(arguments)
    logging.getLogger("llcphone").setLevel(logging.CRITICAL)  # planted exceptions are logged
    pairs = [pair for pair in TRANSPORTS if options.pair in (None, "/".join(pair))]
    print(f"seed {options.seed}")
    clean = True
    for pair in pairs:
        crowd = partial(run_crowd, at_once=options.at_once)
        clock = trio.testing.MockClock(autojump_threshold=0)
        outcome = trio.run(crowd, options.calls // len(pairs), options.seed, pair, clock=clock)
        print("\n".join(report(outcome)))
        clean = clean and outcome.clean
    return 0 if clean else 1


def report(outcome: Outcome) -> Iterable[str]:
    yield ""
    yield f"{'/'.join(outcome.transports)}: {outcome.calls} calls in {outcome.seconds:.0f} s"
    yield f"{'moment':<24} {'ending':<21} {'calls':>5} {'records':>7}  reasons"
    for moment, ending in CELLS:
        records, told = outcome.reasons((moment, ending))
        asked = outcome.asked[moment, ending]
        yield f"{moment.value:<24} {ending.value:<21} {asked:>5} {records:>7}  {told}"
    yield from outcome.left()
    yield from outcome.strange
    yield "nothing left behind" if outcome.clean else "NOT CLEAN"


if __name__ == "__main__":
    sys.exit(main())
