"""A span for each call and for each turn in it, made when the call has ended, from its record.

    with trace_calls(phone, tracer_provider):
        ...

A trace is one call: the span ``call``, below it a ``turn`` for each answer (from the caller's last sound to
the first sound that the caller hears, with what happened on the way as its events) and a ``model gap`` for
each session that was lost or renewed. They hold times, counts and codes; no number, no word, no name the
model chose.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode

from llcphone.engine.events import EndReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llcphone.call.call import Call
    from llcphone.call.record import CallRecord
    from llcphone.phone.phone import Phone

SCOPE = "llcphone"
_FAILURES = frozenset(
    {
        EndReason.FAILED,
        EndReason.MODEL_LOST,
        EndReason.MODEL_REFUSED,
        EndReason.MODEL_UNREACHABLE,
        EndReason.PHONE_LOST,
        EndReason.STREAM_DEAD,
    }
)
_ON_THE_WAY = ("decided_ms", "created_ms", "first_delta_ms", "sent_ms", "barged_in_ms")
_COUNTS = (
    "attempts",
    "run_number",
    "frames",
    "frames_held_back",
    "barge_ins",
    "late_deltas",
    "failed_responses",
)


class CallSpans:
    """Makes the spans of calls that have ended."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer(SCOPE)

    def ended(self, call: Call) -> None:
        """A call has its record."""
        if call.record is not None:
            self._call(call.record)

    def _call(self, record: CallRecord) -> None:
        attributes: dict[str, Any] = {
            "llcphone.call": record.call_id,
            "llcphone.direction": record.direction,
            "llcphone.reason": record.reason.value,
            "llcphone.warm": record.warm,
            "llcphone.dialect": record.dialect,
            "llcphone.alarms": len(record.alarms),
            **{f"llcphone.{name}": getattr(record, name) for name in _COUNTS},
            **{f"llcphone.tokens.{kind}": count for kind, count in record.usage.items()},
        }
        if record.cost_usd is not None:
            attributes["llcphone.cost_usd"] = record.cost_usd
        began = round(record.born_at * 1e9)
        span = self._tracer.start_span("call", Context(), start_time=began, attributes=attributes)
        if record.reason in _FAILURES:
            span.set_status(Status(StatusCode.ERROR, record.reason.value))
        below = trace.set_span_in_context(span)
        for turn in record.turns:
            self._turn(turn, began, below)
        for gap in record.gaps:
            self._gap(gap, began, below)
        span.end(began + round(record.duration_s * 1e9))

    def _turn(self, turn: Mapping[str, Any], began: int, below: Context) -> None:
        from_ms = _first(turn, "spoke_until_ms", "caller_stopped_ms", "begun_ms", "created_ms")
        until_ms = _first(turn, "ear_ms", "heard_ms", "sent_ms", "first_delta_ms", "created_ms")
        attributes = {"llcphone.turn": turn["index"], "llcphone.asked": turn["asked"]}
        attributes |= {"llcphone.tools": len(turn["tools"]), "llcphone.longest": turn["longest"]}
        for name in ("answer_gap_ms", "ear_gap_ms"):
            if turn[name] is not None:
                attributes[f"llcphone.{name}"] = turn[name]
        span = self._tracer.start_span("turn", below, start_time=_at(began, from_ms), attributes=attributes)
        for step in _ON_THE_WAY:
            if turn[step] is not None:
                span.add_event(step.removesuffix("_ms"), timestamp=_at(began, turn[step]))
        span.end(_at(began, max(from_ms, until_ms)))

    def _gap(self, gap: Mapping[str, Any], began: int, below: Context) -> None:
        from_ms, until_ms = gap["at_ms"] or 0, _first(gap, "restored_ms", "at_ms")
        attributes = {"llcphone.kind": gap["kind"], "llcphone.outcome": gap["outcome"]}
        attributes["llcphone.attempts"] = gap["attempts"]
        at = _at(began, from_ms)
        span = self._tracer.start_span("model gap", below, start_time=at, attributes=attributes)
        span.end(_at(began, max(from_ms, until_ms)))


@contextmanager
def trace_calls(phone: Phone, provider: trace.TracerProvider) -> Iterator[None]:
    """Make spans of this phone's calls until the block is left, and give them to this provider."""
    spans = CallSpans(provider)
    phone.on_end.append(spans.ended)
    try:
        yield
    finally:
        phone.on_end.remove(spans.ended)


def _first(times: Mapping[str, Any], *names: str) -> int:
    return next((int(times[name]) for name in names if times.get(name) is not None), 0)


def _at(began: int, ms: int) -> int:
    return began + ms * 1_000_000
