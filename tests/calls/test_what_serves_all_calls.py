"""What serves all calls outlives its own faults: the phone, and a bystander's call, live on.

A fault is planted in each task of the phone and in each of those that are told of calls. Writers of records,
the store, the webhook and the collector work in threads or on sockets of their own: their faults are planted
in tests/store, tests/store/test_webhook.py and tests/telemetry/test_tracing.py.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
import trio
from opentelemetry.sdk.trace import TracerProvider
from trio.testing import MockClock

from bench.hostile import report, run_hostile
from bench.hostile_acts import ACTS
from llcphone.call.endpoint import Endpoint
from llcphone.engine.events import EndReason
from llcphone.phone.black_box import BlackBoxes
from llcphone.phone.breaker import CircuitBreaker
from llcphone.phone.call_warnings import CallWarnings
from llcphone.phone.day_budget import DayBudget
from llcphone.phone.do_not_call import DialLists
from llcphone.phone.loop_monitor import LoopMonitor
from llcphone.phone.moved_calls import MovedCalls
from llcphone.phone.overload import Overload
from llcphone.phone.transfers.registry import TransferRegistry
from llcphone.phone.transfers.transfers import Transfers
from llcphone.phone.warm_pool import WarmPool
from llcphone.server.api.calls import CallIndex
from llcphone.sim.model import Say
from llcphone.telemetry.metrics import Metrics, open_metrics
from llcphone.telemetry.tracing import CallSpans, trace_calls
from tests.calls.stage import engine_of, rehearsal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.calls.stage import Rehearsal

TOLD = [
    (CallWarnings, "noted"),
    (DayBudget, "noted"),
    (DayBudget, "ended"),
    (CircuitBreaker, "noted"),
    (CircuitBreaker, "ended"),
    (CallIndex, "_noted"),
    (CallIndex, "_keep"),
    (Metrics, "noted"),
    (Metrics, "ended"),
    (Metrics, "loop_lag"),
    (CallSpans, "ended"),
    (Transfers, "ended"),
    (Transfers, "over"),
    (TransferRegistry, "noted"),
    (TransferRegistry, "destination_of"),
    (MovedCalls, "over"),
    (MovedCalls, "ended"),
    (Overload, "look"),
]
"""Called within a step of a call, at its end, or at each look at the event loop."""
TASKS = [
    (Endpoint, "ask"),
    (CircuitBreaker, "run"),
    (LoopMonitor, "_look_for_orphans"),
    (LoopMonitor, "run"),
    (DayBudget, "_write"),
    (WarmPool, "_keep"),
    (WarmPool, "_spec"),
    (WarmPool, "_until_s"),
    (DialLists, "keep"),
    (BlackBoxes, "_write_batch"),
]
"""Standing tasks of the phone, or what they do."""


class Odd(BaseException):
    """Neither an Exception nor one that Python knows."""


class Plant:
    """Raises in place of a method, the first so many times."""

    def __init__(
        self, owner: type, name: str, fault: type[BaseException], times: float = float("inf")
    ) -> None:
        self.reached = 0
        self.fault, self.left = fault, times
        real = getattr(owner, name)

        def fails(*args: Any, **names: Any) -> Any:
            self.meet()
            return real(*args, **names)

        async def task_fails(*args: Any, **names: Any) -> Any:
            self.meet()
            return await real(*args, **names)

        self.instead = task_fails if inspect.iscoroutinefunction(real) else fails

    def meet(self) -> None:
        if self.left:
            self.left -= 1
            self.reached += 1
            raise self.fault("planted")


def settings_with_everything(folder: Path) -> dict[str, Any]:
    numbers = folder / "numbers"
    numbers.write_text("")
    return {
        "api": {"key": "a" * 32},
        "money": {"state_file": str(folder / "spent.json")},
        "records": {"blackbox_dir": str(folder / "boxes")},
        "twilio": {"account_sid": "AC" + "0" * 32},
        "outbound": {"do_not_call_file": str(numbers)},
        "warm": {"sessions": 1},
    }


async def two_calls(stage: Rehearsal) -> None:
    """A bystander lives on while another call comes and goes, and again while time passes."""
    bystander = await stage.ring()
    await bystander.hears(0.3)
    other = await stage.ring()
    await other.hears(0.3)
    other.hang_up()
    record = await stage.record()
    assert record.reason is EndReason.CALLER_HUNG_UP
    await trio.sleep(12)
    (call,) = stage.phone.calls()
    before = engine_of(call).state.frames
    await trio.sleep(1)
    assert engine_of(call).state.frames >= before + 45
    bystander.hang_up()
    assert (await stage.record(2)).reason is EndReason.CALLER_HUNG_UP
    assert stage.phone.live_calls == 0


@pytest.mark.parametrize("fault", [RuntimeError, SystemExit, Odd])
@pytest.mark.parametrize(("owner", "name"), TOLD, ids=[f"{owner.__name__}.{name}" for owner, name in TOLD])
async def test_whoever_is_told_of_calls_may_fail(
    owner: type,
    name: str,
    fault: type[BaseException],
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    plant = Plant(owner, name, fault)
    monkeypatch.setattr(owner, name, plant.instead)
    async with rehearsal(script=lambda *_: Say("Good morning."), api={"key": "a" * 32}) as stage:
        with (
            open_metrics(stage.phone),
            trace_calls(stage.phone, TracerProvider(shutdown_on_exit=False)),
            CallIndex(stage.phone).listen(),
        ):
            await two_calls(stage)
        assert plant.reached
        assert stage.phone.faults.counts.total() == plant.reached
    assert "planted" not in caplog.text


@pytest.mark.parametrize("fault", [RuntimeError, SystemExit, Odd])
@pytest.mark.parametrize(("owner", "name"), TASKS, ids=[f"{owner.__name__}.{name}" for owner, name in TASKS])
async def test_a_task_of_the_phone_may_fail(
    owner: type,
    name: str,
    fault: type[BaseException],
    tmp_path: Path,
    autojump_clock: MockClock,
    no_threads: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    plant = Plant(owner, name, fault, times=3)
    monkeypatch.setattr(owner, name, plant.instead)
    everything = settings_with_everything(tmp_path)
    async with rehearsal(script=lambda *_: Say("Good morning."), **everything) as stage:
        await two_calls(stage)
        assert plant.reached == 3
    assert [line.levelname for line in caplog.records].count("ERROR") >= 1
    assert "planted" not in caplog.text


@pytest.fixture
def half_pace() -> MockClock:
    """Half as fast as the machine's clock: threads work here, so no time may be jumped over."""
    return MockClock(rate=0.5)


@pytest.mark.slow
async def test_hostile_calls_beside_ordinary_ones(half_pace: MockClock, tmp_path: Path) -> None:
    """``python -m bench.hostile`` does the same with 200 calls, on PostgreSQL too."""
    places = list(dict.fromkeys(place for place, _ in ACTS))
    things = {place: [thing for at, thing in ACTS if at == place] for place in places}
    acts = [(place, things[place][number % len(things[place])]) for number, place in enumerate(places)]
    outcome = await run_hostile(acts, 2, f"sqlite:///{tmp_path / 'phone.db'}", str(tmp_path), at_once=12)
    assert outcome.clean, "\n".join(report(outcome))
    assert outcome.kept >= len(acts)
