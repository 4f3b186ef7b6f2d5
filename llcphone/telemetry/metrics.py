"""Figures of one phone, for Prometheus: events of live calls, their records, and the state of now.

    async with open_phone(config, agent) as phone:
        with open_metrics(phone) as metrics:
            metrics.page()      # what a scrape is answered

Nothing is done per frame: calls report floor, answers and trouble by notes, and all else is read when a
call has ended (its record, its leg's counters) or at a scrape (``Now``). Every label has a
small fixed set of values; none holds a number, a name, a word, or anything the far side chose.
"""

from __future__ import annotations

import gc
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from llcphone.engine import notes
from llcphone.engine.events import EndReason
from llcphone.telemetry.collector import Now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.call.call import Call
    from llcphone.call.record import CallRecord
    from llcphone.engine.note import Note
    from llcphone.phone.phone import Phone

_SPEECH_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_LOOP_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_CALL_S = (1, 5, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600)

TROUBLE = (
    notes.SlowTurn,
    notes.DeadAir,
    notes.BudgetSpent,
    notes.ModelConnectFailed,
    notes.SessionRefused,
    notes.ModelLost,
    notes.SessionUpdateRefused,
    notes.ToolOutputRefused,
    notes.ModelError,
    notes.ResponseFailed,
    notes.UnaskedResponse,
    notes.SuccessorFailed,
    notes.BargeInDismissed,
    notes.DialFailed,
    notes.ToolLate,
    notes.LoopHeld,
)
"""Notes that are counted by their kind."""


class Metrics:
    """The counters of one phone; ``page`` is what a scrape gets."""

    content_type: str = CONTENT_TYPE_LATEST

    def __init__(self, phone: Phone) -> None:
        """Make an empty registry; ``open_metrics`` also feeds it."""
        self.registry = CollectorRegistry()
        self.registry.register(Now(phone))
        ProcessCollector(registry=self.registry)
        self._calls_ended = self._counter("calls_ended", "Calls, by what ended them", "direction", "reason")
        self._call_seconds = self._seconds("call_seconds", "Length of calls", _CALL_S)
        self._answer_gap = self._seconds("answer_gap_seconds", "Caller's last speech to first audio sent")
        self._ear_gap = self._seconds("ear_gap_seconds", "Caller's last sound to the ear's first")
        self._parts = self._seconds("turn_part_seconds", "The ear's gap by its parts", _SPEECH_S, "part")
        self._first_audio = self._seconds("first_audio_seconds", "Media stream's start to first audio sent")
        self._barge_ins = self._counter("barge_ins", "Times the agent was cut off")
        self._stop = self._seconds(
            "barge_in_stop_seconds", "From where turn detection dates the caller's speech to the clear"
        )
        self._warm = self._counter("sessions_met", "How warm the session was that a call met", "how")
        self._resumes = self._counter("resumes", "Runs that went on with a call of an older run")
        self._gaps = self._counter("model_gaps", "Model sessions that ended in mid-call", "kind", "outcome")
        self._gap_seconds = self._seconds("model_gap_seconds", "Time without a model session")
        self._trouble = self._counter("trouble", "What went wrong in calls", "what")
        self._tools = self._seconds("tool_seconds", "Run time of tools", _SPEECH_S, "ok")
        self._frames = self._counter("frames", "Messages on media streams that have ended", "direction")
        self._drops = self._counter("drops", "What was not passed on, by kind", "what")
        self._tokens = self._counter("tokens", "Tokens of calls that have ended", "kind")
        self._unbilled = self._counter("unbilled_responses", "Responses whose tokens were not reported")
        self._cost = self._counter("cost_usd", "Estimated cost of calls that have ended, in US dollars")
        self._lines = self._counter("log_lines", "Warnings and errors logged", "level", "logger")
        self._lag = self._seconds("loop_lag_seconds", "How late the event loop wakes a task", _LOOP_S)
        self._pauses = self._seconds("gc_pause_seconds", "Full garbage collections", _LOOP_S)
        self._collection_began = 0.0
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Series for alerts exist before the first event; otherwise its first count is no increase."""
        for what in TROUBLE:
            self._trouble.labels(what.kind)
        for reason in EndReason:
            for direction in ("inbound", "outbound"):
                self._calls_ended.labels(direction, reason.value)
        for name in logging.root.manager.loggerDict:
            if name.startswith("llcphone."):
                self._lines.labels("warning", name)
                self._lines.labels("error", name)

    def page(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self.registry)

    # -- what feeds it ----------------------------------------------------------------------

    def noted(self, call: Call, note: Note) -> None:
        """An observer of calls."""
        match note:
            case notes.AgentSpeaks(answer_gap_ms=gap_ms):
                _observe_ms(self._answer_gap, gap_ms)
            case notes.BargeIn(stop_ms=stop_ms):
                _observe_ms(self._stop, stop_ms)
            case notes.ToolDone(ok=ok, took_ms=took_ms):
                _observe_ms(self._tools.labels(str(ok).lower()), took_ms)
            case notes.ModelRestored(gap_ms=gap_ms):
                _observe_ms(self._gap_seconds, gap_ms)
            case _ if isinstance(note, TROUBLE):
                self._trouble.labels(note.kind).inc()
            case _:
                pass

    def ended(self, call: Call) -> None:
        """A call has its record."""
        record = call.record
        if record is None:
            return
        self._calls_ended.labels(record.direction, record.reason.value).inc()
        self._call_seconds.observe(record.duration_s)
        self._warm.labels(record.warm or "unknown").inc()
        self._barge_ins.inc(record.barge_ins)
        if record.run_number:
            self._resumes.inc()
        self._count_turns(record)
        for gap in record.gaps:
            self._gaps.labels(gap["kind"], gap["outcome"] or "call ended").inc()
        for kind, count in record.usage.items():
            self._tokens.labels(kind).inc(max(0, count))  # a counter refuses what the far side can say
        self._cost.inc(max(0.0, record.cost_usd or 0.0))
        self._unbilled.inc(record.unbilled_responses)
        self._count_drops(call, record)

    def logged(self, level: str, logger: str) -> None:
        """A line of ours: lost records, a journal that fails, requests refused; the log has the details."""
        self._lines.labels(level, logger).inc()

    def loop_lag(self, lag_s: float) -> None:
        """A look at the event loop."""
        self._lag.observe(lag_s)

    def collected(self, phase: str, info: dict[str, int]) -> None:
        """A garbage collection begins or is over; the small ones, many a second, are not timed."""
        if info["generation"] < 2:
            return
        if phase == "start":
            self._collection_began = time.perf_counter()
        else:
            self._pauses.observe(time.perf_counter() - self._collection_began)

    # -- small parts ------------------------------------------------------------------------

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"llcphone_{name}", about, labels, registry=self.registry)

    def _seconds(
        self, name: str, about: str, buckets: tuple[float, ...] = _SPEECH_S, *labels: str
    ) -> Histogram:
        return Histogram(f"llcphone_{name}", about, labels, buckets=buckets, registry=self.registry)

    def _count_turns(self, record: CallRecord) -> None:
        for turn in record.turns:
            _observe_ms(self._ear_gap, turn["ear_gap_ms"])
            if turn["spoke_until_ms"] is not None:  # otherwise no caller waited
                for part, ms in turn["parts"].items():
                    _observe_ms(self._parts.labels(part), ms)
        sent = [turn["sent_ms"] for turn in record.turns if turn["sent_ms"] is not None]
        if sent and record.started_after_ms is not None:
            _observe_ms(self._first_audio, max(0, sent[0] - record.started_after_ms))

    def _count_drops(self, call: Call, record: CallRecord) -> None:
        drops = {
            "frame held back": record.frames_held_back,
            "delta after a cut": record.late_deltas,
            "unreadable message": record.bad_messages,
            "unknown event": record.unknown_events,
            "stray echo": record.stray_echoes,
        }
        if (leg := call.run.phone_leg) is not None:
            self._frames.labels("in").inc(leg.stats.frames_in)
            self._frames.labels("out").inc(leg.stats.frames_out)
            drops |= {"media before a clear": leg.stats.dropped, "binary message": leg.stats.skipped}
        for what, count in drops.items():
            self._drops.labels(what).inc(count)


@contextmanager
def open_metrics(phone: Phone) -> Iterator[Metrics]:
    """Metrics that are fed by this phone until the block is left."""
    metrics = Metrics(phone)
    phone.observers.append(metrics.noted)
    phone.on_end.append(metrics.ended)
    phone.loop_monitor.listeners.append(metrics.loop_lag)
    gc.callbacks.append(metrics.collected)
    lines = _LogLines(metrics)
    logging.getLogger("llcphone").addHandler(lines)
    try:
        yield metrics
    finally:
        logging.getLogger("llcphone").removeHandler(lines)
        gc.callbacks.remove(metrics.collected)
        phone.loop_monitor.listeners.remove(metrics.loop_lag)
        phone.on_end.remove(metrics.ended)
        phone.observers.remove(metrics.noted)


class _LogLines(logging.Handler):
    """Counts what is logged; sees level and room, not the text."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.WARNING)
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        self._metrics.logged(record.levelname.lower(), record.name)


def _observe_ms(histogram: Histogram, ms: Any) -> None:
    if isinstance(ms, int | float):
        histogram.observe(ms / 1000)
