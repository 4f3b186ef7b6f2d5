"""Figures that are read at each scrape: what the phone is doing now, and counts that others keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
        """Nothing: the registry must not read the phone before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        phone = self._phone
        monitor, states = phone.loop_monitor, [state_of(call) for call in phone.calls()]
        yield _gauges("calls", "Live calls, by state", "state", {each: states.count(each) for each in STATES})
        yield _gauge("calls_most", "Calls at once: server.max_calls", phone.config.server.max_calls)
        yield _gauge("ready", "1: new calls are taken", not phone.ready())
        yield _gauge("draining", "1: asked to stop", phone.draining)
        yield _gauge("orphans", "Calls that ended and are not gone: always 0", monitor.orphans)
        yield _gauge("breaker_open", "1: no model session can be opened", phone.endpoints.is_open)
        yield _count("breaker_openings", "Times the breaker opened", phone.endpoints.times_opened)
        turned_away = phone.admission.turned_away
        yield _counts("turned_away", "Callers who got the fallback", "reason", turned_away)
        public = {what: phone.connections[what] for what in CONNECTIONS}
        yield _counts("connections", "Connections to the public port, by what became of them", "what", public)
        yield _counts("loop_held_seconds", "All calls were held by this code", "by", monitor.held_s)
        yield _gauge("spent_today_usd", "Estimated cost since midnight UTC", phone.day_budget.today_usd)
        yield _gauge("tasks", "Trio tasks of the process", trio.lowlevel.current_statistics().tasks_living)
        store = phone.store
        lost = None if store is None else store.writer.lost
        yield _count("store_lost", "Writes that the store gave up", lost)
        failures = None if store is None else store.main.failures + store.look_ups.failures
        yield _count("store_failures", "Questions that the database left unanswered", failures)
        health = phone.warm.health
        parked = {"ready": health.ready, "dialling": health.dialling}
        yield _gauges("warm_sessions", "The pool of warm sessions", "state", parked)
        events = {what: getattr(health, what) for what in ("taken", "misses", "died", "recycled", "failed")}
        yield _counts("warm_events", "What became of warm sessions", "what", events)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"llcphone_{name}", about, value=float(value))


def _gauges(name: str, about: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"llcphone_{name}", about, labels=[label])
    for value, figure in values.items():
        family.add_metric([value], figure)
    return family


def _counts(name: str, about: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"llcphone_{name}", about, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _count(name: str, about: str, value: float | None) -> CounterMetricFamily:
    """One count; None: there is nothing that counts."""
    return CounterMetricFamily(f"llcphone_{name}", about, value=value)
