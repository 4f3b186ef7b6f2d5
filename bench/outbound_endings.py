"""Outbound calls of every fate, cancelled at any moment: what stays behind, and is anybody dialled twice?

    python -m bench.outbound_endings --calls 1000 [--seed 7] [--at-once 40]

Whole calls over loopback sockets, both vendors simulated, in virtual time. They are answered, busy, refused;
a machine picks up; Twilio's answers and callbacks are lost, late, repeated and out of order; and the user
changes his mind. Afterwards the process must have the same tasks and descriptors as before, every call one
record with a reason that its plan explains, no number more than one order at Twilio, no model session open,
and no telephone may have rung on for longer than it takes to find it.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio
import trio.testing

from bench import endings
from bench.outbound_plan import LONGEST_RING_ON_S, Fate, Plan, make_plans
from llcphone import Agent
from llcphone.sim.model import Say
from llcphone.testing import rehearse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llcphone.testing import Rehearsal

PATIENCE_S = 200.0
OUTBOUND = {
    "allow_prefixes": ["+1555"],
    "calls_per_second": 1000.0,
    "calls_per_minute": 10_000,
    "max_concurrent": 10_000,
    "max_per_day": 100_000,
    "ring_timeout_s": 20,
    "no_callback_limit_s": 60.0,
}


@attrs.define
class Outcome(endings.Outcome):
    orders: Counter[Fate] = attrs.field(factory=Counter)
    """Calls that Twilio took."""
    rang_on_s: dict[Fate, float] = attrs.field(factory=dict)
    """Longest time that a telephone rang or talked after its call had its record."""


async def run_crowd(calls: int, seed: int, *, at_once: int = 40) -> Outcome:
    """Place this many calls and see every one of them end."""
    plans = {plan.to: plan for plan in make_plans(calls, seed)}
    outcome = Outcome(calls)
    began = time.perf_counter()
    outside = await endings.count()
    async with rehearse(
        Agent("You tell long stories."),
        script=lambda turn, past, tools: [Say("Once upon a time.", 2_000)],
        callee=lambda to: plans[to].callee(),
        settings={"outbound": OUTBOUND, "server": {"max_calls": 10_000}, "overload": {"lag_limit_ms": 0}},
    ) as stage:
        stage.model.keep_audio = stage.twilio.keep_audio = False
        stage.twilio.rest.answer_delay_s = 0.2
        # afterwards: searches for lost calls, late callbacks
        await outcome.hold(plans.values(), partial(hold, stage, outcome), at_once, after_s=30)
        judge(stage, plans, outcome)
    if await endings.count() != outside:
        outcome.strange.append("the server itself left something behind")
    outcome.seconds = time.perf_counter() - began
    return outcome


async def hold(stage: Rehearsal, outcome: Outcome, plan: Plan) -> None:
    """One call from the wish to its record."""
    outcome.asked[plan.fate] += 1
    plan.plant(stage.twilio.rest.faults)
    call = stage.phone.place_call(plan.to)
    with trio.move_on_after(PATIENCE_S) as patience:
        if plan.cancel_after_s is not None:
            with trio.move_on_after(plan.cancel_after_s):
                await call
            call.end()  # of a call that is over: nothing
        record = await call
        plan.ended_at = trio.current_time()
        outcome.records[plan.fate, record.reason.value] += 1
        if record.reason not in plan.expected:
            outcome.strange.append(f"{plan.fate.value}, {plan.rumour.value}: {record.reason.value}")
    if patience.cancelled_caught:
        outcome.strange.append(f"no record: {plan.fate.value}, {plan.rumour.value}")


def judge(stage: Rehearsal, plans: dict[str, Plan], outcome: Outcome) -> None:
    """What Twilio and the model saw of it."""
    orders = Counter(form["To"][0] for form in stage.twilio.rest.creates)
    for to, times in orders.items():
        outcome.orders[plans[to].fate] += times
        if times > 1:
            outcome.strange.append(f"dialled {times} times: {plans[to].fate.value}")
    for sim in stage.twilio.calls:
        plan = plans[sim.fields["To"]]
        if not sim.over:
            outcome.strange.append(f"still rings: {plan.fate.value}, {plan.rumour.value}")
        elif plan.ended_at is not None:
            rang_on_s = max(0.0, sim.log.born_at + sim.record.duration_ms / 1000 - plan.ended_at)
            outcome.rang_on_s[plan.fate] = max(rang_on_s, outcome.rang_on_s.get(plan.fate, 0.0))
            if rang_on_s > LONGEST_RING_ON_S:
                outcome.strange.append(f"rang on for {rang_on_s:.0f} s: {plan.fate.value}")
    if len(stage.records) != outcome.calls or stage.phone.live_calls:
        outcome.strange.append(f"{len(stage.records)} records of {outcome.calls} calls")
    if still_open := sum(session.is_open for session in stage.model.sessions):
        outcome.strange.append(f"{still_open} model sessions are open")
    if stage.twilio.rest.ignored:
        outcome.strange.append(f"fields that Twilio ignores: {set(stage.twilio.rest.ignored)}")


# -- a person runs it ---------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and print what became of the calls; 1 when something was left behind."""
    parser = argparse.ArgumentParser(prog="python -m bench.outbound_endings", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--at-once", type=int, default=40)
    options = parser.parse_args(arguments)
    logging.getLogger("llcphone").setLevel(logging.CRITICAL)  # what is planted is logged
    print(f"seed {options.seed}")
    crowd = partial(run_crowd, at_once=options.at_once)
    clock = trio.testing.MockClock(autojump_threshold=0)
    outcome = trio.run(crowd, options.calls, options.seed, clock=clock)
    print("\n".join(report(outcome)))
    return 0 if outcome.clean else 1


def report(outcome: Outcome) -> Iterable[str]:
    yield f"{outcome.calls} calls in {outcome.seconds:.0f} s"
    yield f"{'fate':<27} {'calls':>5} {'orders':>6} {'records':>7} {'rang on':>8}  reasons"
    for fate in Fate:
        records, told = outcome.reasons(fate)
        rang_on = f"{outcome.rang_on_s.get(fate, 0.0):.1f} s"
        counts = f"{outcome.asked[fate]:>5} {outcome.orders[fate]:>6} {records:>7}"
        yield f"{fate.value:<27} {counts} {rang_on:>8}  {told}"
    yield (
        f"{'':<27} {outcome.asked.total():>5} {outcome.orders.total():>6} {outcome.records.total():>7}"
        f" {max(outcome.rang_on_s.values(), default=0.0):>6.1f} s"
    )
    yield from outcome.left()
    for line, times in Counter(outcome.strange).items():
        yield f"{times} x {line}"
    yield "nothing left behind, no number dialled twice" if outcome.clean else "NOT CLEAN"


if __name__ == "__main__":
    sys.exit(main())
