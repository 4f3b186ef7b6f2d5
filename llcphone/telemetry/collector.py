"""Figures that are read when somebody scrapes: what the phone is doing now, and counts that others keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from llcphone.call.call import Call
    from llcphone.phone.phone import Phone


CONNECTIONS = ("accepted", "stream", "request", "refused", "too slow", "evicted", "gone", "failed")
"""Media streams and requests that were let in; the others were answered 4xx or 5xx by the listener, ran out
of time, were closed to make room, left in the middle, or failed by an error (logged)."""
STATES = ("born", "talking", "restoring", "ending")


def state_of(call: Call) -> str:
    """``born`` until its media stream starts, ``restoring`` while it has no model, ``ending`` at its end."""
    now = call.run.status
    if now.ending:
        return "ending"
    if now.started_ms is None:
        return "born"
    return "talking" if now.model_ready or now.ready_ms is None else "restoring"


class Now(Collector):
    """Reads the phone at each scrape."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry shall not read the phone before somebody asks."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        phone = self._phone
        states = [state_of(call) for call in phone.calls()]
        calls = GaugeMetricFamily("llcphone_calls", "Live calls, by state", labels=["state"])
        for state in STATES:
            calls.add_metric([state], states.count(state))
        yield calls
        yield _gauge("calls_most", "Calls at once: server.max_calls", phone.config.server.max_calls)
        yield _gauge("ready", "1: new calls are taken", not phone.ready())
        yield _gauge("draining", "1: asked to stop", phone.draining)
        yield _gauge("orphans", "Calls that ended and are not gone: always 0", phone.loop_monitor.orphans)
        yield _gauge("breaker_open", "1: no model session can be had", phone.breaker.is_open)
        opened = CounterMetricFamily("llcphone_breaker_openings", "Times the breaker opened")
        opened.add_metric([], phone.breaker.times_opened)
        yield opened
        away = CounterMetricFamily("llcphone_turned_away", "Callers who got the fallback", labels=["reason"])
        for reason, count in phone.admission.turned_away.items():
            away.add_metric([reason], count)
        yield away
        public = CounterMetricFamily(
            "llcphone_connections", "Connections to the public port, by what became of them", labels=["what"]
        )
        for what in CONNECTIONS:
            public.add_metric([what], phone.connections[what])
        yield public
        held = CounterMetricFamily(
            "llcphone_loop_held_seconds", "All calls were held by this code", labels=["by"]
        )
        for by, seconds in phone.loop_monitor.held_s.items():
            held.add_metric([by], seconds)
        yield held
        yield _gauge("spent_today_usd", "Estimated cost since midnight UTC", phone.day_budget.today_usd)
        yield _gauge("tasks", "Trio tasks of the process", trio.lowlevel.current_statistics().tasks_living)
        yield from self._store()
        yield from self._warm()

    def _store(self) -> Iterator[Metric]:
        lost = CounterMetricFamily("llcphone_store_lost", "Writes that the store gave up")
        failures = CounterMetricFamily(
            "llcphone_store_failures", "Questions that the database left unanswered"
        )
        if (store := self._phone.store) is not None:
            lost.add_metric([], store.writer.lost)
            failures.add_metric([], store.main.failures + store.look_ups.failures)
        yield lost
        yield failures

    def _warm(self) -> Iterator[Metric]:
        health = self._phone.warm.health
        parked = GaugeMetricFamily("llcphone_warm_sessions", "The pool of warm sessions", labels=["state"])
        parked.add_metric(["ready"], health.ready)
        parked.add_metric(["dialling"], health.dialling)
        yield parked
        events = CounterMetricFamily("llcphone_warm_events", "What became of warm sessions", labels=["what"])
        for what in ("taken", "misses", "died", "recycled", "failed"):
            events.add_metric([what], getattr(health, what))
        yield events


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"llcphone_{name}", about, value=float(value))
