"""Spans on their way to an OTLP/HTTP collector, as JSON, from one task and no thread.

OpenTelemetry's own exporters send from a thread of theirs; beside calls that would be somebody else's hand on
the interpreter. Here an ended span is put into a bounded queue, and a task posts what is there. A
collector that cannot be reached costs spans, the oldest first, and nothing else.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import trio
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from llcphone.tracing import SCOPE, trace_calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from opentelemetry.sdk.trace import Event, ReadableSpan

    from llcphone.watched import Watched

log = logging.getLogger("llcphone.otlp")

MOST_WAITING = 10_000
_BATCH = 500
_TIMEOUT_S = 10.0
_PAUSE_S = 5.0
_LAST_S = 2.0
_TRY_AGAIN = frozenset({429, 502, 503, 504})
"""OTLP: these may be tried again, all others say that they never will be taken."""


class Outbox(SpanProcessor):
    """Ended spans, until a task has posted them."""

    def __init__(self, url: str) -> None:
        self._url = url if url.endswith("/v1/traces") else f"{url}/v1/traces"
        self._spans: deque[ReadableSpan] = deque(maxlen=MOST_WAITING)
        self._some = trio.Event()
        self._failing = False

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it for the task; the oldest gives way."""
        self._spans.append(span)
        self._some.set()

    async def run(self) -> None:
        """Post until cancelled; then, bounded, what is left."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            try:
                while True:
                    await self._some.wait()
                    self._some = trio.Event()
                    if not await self._post_all(client):
                        await trio.sleep(_PAUSE_S)
                        self._some.set()
            finally:
                with trio.move_on_after(_LAST_S, shield=True):
                    await self._post_all(client)

    async def _post_all(self, client: httpx.AsyncClient) -> bool:
        """Post what waits, the oldest first; False, and it stays, when the collector does not take it."""
        while self._spans:
            batch = [self._spans.popleft() for _ in range(min(_BATCH, len(self._spans)))]
            taken = False
            try:
                taken = await self._post(client, batch)
            finally:
                if not taken:  # also when cancelled
                    room = MOST_WAITING - len(self._spans)
                    self._spans.extendleft(reversed(batch[max(0, len(batch) - room) :]))
            if not taken:
                return False
        return True

    async def _post(self, client: httpx.AsyncClient, batch: list[ReadableSpan]) -> bool:
        trouble = ""
        try:
            answer = await client.post(self._url, json=as_otlp(batch))
            if answer.status_code in _TRY_AGAIN:
                trouble = f"http_{answer.status_code}"
            elif answer.is_error:
                log.warning("spans refused", extra={"status": answer.status_code, "spans": len(batch)})
        except httpx.HTTPError as exc:
            trouble = type(exc).__name__
        if trouble and not self._failing:  # once, not every five seconds
            log.warning("spans cannot be sent", extra={"trouble": trouble})
        self._failing = bool(trouble)
        return not trouble


@asynccontextmanager
async def open_otlp(phone: Watched, url: str) -> AsyncIterator[None]:
    """Trace this phone's calls to that collector until the block is left."""
    outbox = Outbox(url)
    provider = TracerProvider(resource=Resource({"service.name": SCOPE}), shutdown_on_exit=False)
    provider.add_span_processor(outbox)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.run, name="otlp")
        with trace_calls(phone, provider):
            yield
        nursery.cancel_scope.cancel(reason="leaving")


def as_otlp(spans: list[ReadableSpan]) -> dict[str, Any]:
    """An ExportTraceServiceRequest in OTLP's JSON: ids in hex, 64-bit integers as text."""
    resource = {"attributes": _attributes(spans[0].resource.attributes)}
    scope = {"scope": {"name": SCOPE}, "spans": [_span(span) for span in spans]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def _span(span: ReadableSpan) -> dict[str, Any]:
    parent = {} if span.parent is None else {"parentSpanId": f"{span.parent.span_id:016x}"}
    context = span.get_span_context()
    assert context is not None
    return parent | {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes or {}),
        "events": [_event(event) for event in span.events],
        "status": {"code": span.status.status_code.value},
    }


def _event(event: Event) -> dict[str, Any]:
    return {"timeUnixNano": str(event.timestamp), "name": event.name}


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case _:
            return {"stringValue": str(value)}
