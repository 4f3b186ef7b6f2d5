"""Figures for Prometheus: what whole calls leave in them, and what they never hold."""

from __future__ import annotations

import gc
import logging

import trio
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, text

from llcphone import Agent, ToolContext
from llcphone.engine.events import EndReason
from llcphone.phone.loop_monitor import LoopMonitor
from llcphone.sim.model import CallTool, Faults
from llcphone.telemetry.metrics import open_metrics
from tests.calls.stage import INTERRUPTION, QUESTION, rehearsal
from tests.patience import HANG_S

LABELS = {"state", "direction", "reason", "part", "how", "kind", "outcome", "what", "ok", "le"}
LABELS |= {"level", "logger", "by"}


class Figures:
    """A page of figures, read as Prometheus reads it."""

    def __init__(self, page: bytes) -> None:
        self.families = list(text_string_to_metric_families(page.decode()))
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def is_there(self, name: str, **labels: str) -> bool:
        return (f"llcphone_{name}", frozenset(labels.items())) in self.samples

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples.get((f"llcphone_{name}", frozenset(labels.items())), 0.0)


async def test_a_call_is_counted_while_it_lives_and_once_it_has_ended(autojump_clock) -> None:
    agent = Agent("Be brief.")

    @agent.tool
    async def look_up(ctx: ToolContext) -> str:
        await trio.sleep(0.4)
        return "seven"

    script = ["Good morning, this is the bakery.", CallTool("look_up"), "We open at seven."]
    async with rehearsal(script=script, agent=agent) as stage:
        with open_metrics(stage.phone) as metrics:
            call = await stage.ring()
            await call.hears(0.5)
            figures = Figures(metrics.page())
            assert figures.is_there("calls_ended_total", direction="inbound", reason="failed"), "as 0"
            assert figures("calls", state="talking") == 1
            assert figures("calls_ended_total", direction="inbound", reason="caller hung up") == 0
            await call.speak(QUESTION)
            await call.hears(0.5)
            call.hang_up()
            record = await stage.record()
            figures = Figures(metrics.page())
    assert figures("calls", state="talking") == 0
    assert figures("calls_ended_total", direction="inbound", reason="caller hung up") == 1
    assert figures("first_audio_seconds_count") == 1
    assert figures("answer_gap_seconds_count") == sum(
        turn["answer_gap_ms"] is not None for turn in record.turns
    )
    assert figures("ear_gap_seconds_sum") * 1000 == sum(turn["ear_gap_ms"] or 0 for turn in record.turns)
    assert figures("turn_part_seconds_count", part="tools") == 1
    assert figures("tool_seconds_count", ok="true") == 1
    assert 0.4 <= figures("tool_seconds_sum", ok="true") < 0.6
    assert figures("sessions_met_total", how=record.warm) == 1
    assert figures("frames_total", direction="in") >= record.frames > 0
    assert figures("tokens_total", kind="input_audio") == record.usage["input_audio"] > 0
    assert figures("cost_usd_total") == record.cost_usd
    assert figures("orphans") == 0


async def test_a_barge_in_is_timed_from_where_the_caller_began(autojump_clock) -> None:
    async with rehearsal(script=["Once upon a time there was a miller who had three sons."]) as stage:
        with open_metrics(stage.phone) as metrics:
            call = await stage.ring()
            await call.hears(0.5)
            await call.speak(INTERRUPTION)
            await trio.sleep(1)
            call.hang_up()
            record = await stage.record()
            figures = Figures(metrics.page())
    assert figures("barge_ins_total") == record.barge_ins == 1
    assert figures("barge_in_stop_seconds_count") == 1
    assert 0 < figures("barge_in_stop_seconds_sum") < 1


async def test_a_lost_model_is_counted_with_what_came_of_it(autojump_clock) -> None:
    script = ["Once upon a time there was a miller who had three sons.", "As I said."]
    async with rehearsal(script=script) as stage:
        with open_metrics(stage.phone) as metrics:
            call = await stage.ring()
            await call.hears(0.5)
            session = await stage.session()
            session.reset()
            await trio.sleep(5)
            call.hang_up()
            record = await stage.record()
            figures = Figures(metrics.page())
    assert figures("trouble_total", what="model lost") == 1
    assert figures("model_gaps_total", kind="lost", outcome=record.gaps[0]["outcome"]) == 1
    assert figures("model_gap_seconds_count") == 1


async def test_callers_who_get_the_fallback_are_counted_by_its_reason(autojump_clock) -> None:
    async with rehearsal() as stage:
        with open_metrics(stage.phone) as metrics:
            stage.phone.admission.draining = True
            stage.phone.answer({"CallSid": "CA1"})
            figures = Figures(metrics.page())
            stage.phone.admission.draining = False
    assert figures("turned_away_total", reason="draining") == 1
    assert figures("log_lines_total", level="warning", logger="llcphone.phone") == 1
    assert figures("ready") == 0
    assert figures("draining") == 1


async def test_connections_are_counted_by_what_became_of_them(autojump_clock) -> None:
    async with rehearsal() as stage:
        with open_metrics(stage.phone) as metrics:
            call = await stage.ring()
            await call.hears(0.3)
            call.hang_up()
            await stage.record()
            figures = Figures(metrics.page())
    assert figures("connections_total", what="accepted") >= 2
    assert figures("connections_total", what="request") >= 1
    assert figures("connections_total", what="stream") == 1
    assert figures.is_there("connections_total", what="evicted"), "as 0"


async def test_writes_that_the_store_gave_up_are_counted(tmp_path) -> None:
    def refused(db: Connection) -> None:
        db.execute(text("INSERT INTO phone_schema VALUES (NULL)"))

    async with rehearsal(store={"url": f"sqlite:///{tmp_path / 'phone.db'}"}) as stage:
        with open_metrics(stage.phone) as metrics:
            assert Figures(metrics.page())("store_lost_total") == 0
            with trio.fail_after(HANG_S):
                await stage.phone.store.writer.put(refused).settled.wait()
            figures = Figures(metrics.page())
    assert figures("store_lost_total") == 1
    assert figures.is_there("store_failures_total")


async def test_a_phone_that_is_no_longer_watched_is_left_as_it_was(autojump_clock) -> None:
    async with rehearsal() as stage:
        phone = stage.phone
        log = logging.getLogger("llcphone")
        before = [
            *phone.observers,
            *phone.on_end,
            *phone.loop_monitor.listeners,
            *gc.callbacks,
            *log.handlers,
        ]
        with open_metrics(phone):
            gc.collect()
        looks = phone.loop_monitor.listeners
        after = [*phone.observers, *phone.on_end, *looks, *gc.callbacks, *log.handlers]
        assert after == before


async def test_two_phones_have_figures_of_their_own(autojump_clock) -> None:
    async with rehearsal() as one, rehearsal() as other:
        with open_metrics(one.phone) as metrics, open_metrics(other.phone) as others:
            call = await one.ring()
            call.hang_up()
            await one.record()
            assert Figures(metrics.page())("call_seconds_count") == 1
            assert Figures(others.page())("call_seconds_count") == 0


async def test_labels_take_few_values_whatever_happens(autojump_clock) -> None:
    """A label that the far side could choose would grow without end, and could hold a number."""
    faults = Faults(refuse_update="no-such-code")
    async with rehearsal(faults=faults, recovery={"apology_file": "off"}) as stage:
        with open_metrics(stage.phone) as metrics:
            for _ in range(3):
                call = await stage.twilio.ring()
                await call.ended()
            await stage.record(3)
            page = metrics.page().decode()
    assert "no-such-code" not in page
    reasons = {reason.value for reason in EndReason}
    for family in Figures(page.encode()).families:
        for sample in family.samples:
            assert set(sample.labels) <= LABELS
            assert sample.name != "llcphone_calls_ended_total" or sample.labels["reason"] in reasons


# -- the pulse ----------------------------------------------------------------------------------


async def test_the_pulse_tells_how_late_the_loop_was(autojump_clock) -> None:
    pulse = LoopMonitor(list)
    told: list[float] = []
    pulse.listeners.append(told.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulse.run)
        await trio.sleep(0.45)
        assert pulse.lag_s() < 0.001
        autojump_clock.jump(2.0)  # something held the loop for two seconds
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert 1.9 < max(told) < 2.0
    assert pulse.lag_s(1.0) == max(told)
    assert pulse.reasons() == []  # once is no reason to replace a process


async def test_a_loop_that_is_always_late_is_not_well(autojump_clock) -> None:
    pulse = LoopMonitor(list)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulse.run)
        for _ in range(5):
            await trio.sleep(0.01)
            autojump_clock.jump(3.0)
            await trio.sleep(0.04)
        nursery.cancel_scope.cancel()
    assert pulse.reasons() == ["the event loop is more than a second late"]


async def test_a_call_that_has_ended_and_does_not_go_is_an_orphan(autojump_clock) -> None:
    async with rehearsal() as stage:
        call = await stage.ring()
        live = stage.phone.calls()[0]

        async def hang() -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(30)

        live.run.spawn(hang, name="planted")
        call.hang_up()
        await trio.sleep(4)
        assert stage.phone.loop_monitor.orphans == 0  # it may still be closing
        await trio.sleep(6)
        assert stage.phone.loop_monitor.orphans == 1
        assert stage.phone.loop_monitor.reasons() == ["calls that have ended do not close"]
        await trio.sleep(25)
        assert stage.phone.loop_monitor.orphans == 0
