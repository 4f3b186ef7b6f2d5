"""Sends spans to an OTLP/HTTP collector, as JSON, from one task and no thread.

OpenTelemetry's own exporters send from a thread, which would compete with the calls for the interpreter.
Here an ended span goes into a bounded queue, and a task posts the queue. A collector that cannot be reached
costs spans, the oldest first, and nothing else: posts are repeated after growing pauses, and the number of
lost spans is logged when it takes spans again.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from llcphone.config.addresses import add_path
from llcphone.runtime.background import NEVER, NOW, BackgroundWriter
from llcphone.runtime.containment import Faults, contained
from llcphone.runtime.log_lines import logger
from llcphone.telemetry.tracing import SCOPE, trace_calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from opentelemetry.sdk.trace import Event, ReadableSpan

    from llcphone.phone.phone import Phone

log = logger("llcphone.otlp")

MOST_WAITING = 10_000
_BATCH = 500
_TIMEOUT_S = 10.0
_PAUSES_S = (5.0, 10.0, 20.0, 60.0, 300.0)
"""After failures in a row; the last one stays."""
_LAST_S = 2.0
_TRY_AGAIN = frozenset({429, 502, 503, 504})
"""OTLP: these may be tried again, all others say that they never will be taken."""


class SpanSender(SpanProcessor):
    """Ended spans, until they are posted."""

    def __init__(self, url: str) -> None:
        is_whole = urlsplit(url).path.endswith("/v1/traces")
        self._url = url if is_whole else add_path(url, "/v1/traces")
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S)
        self._spans: deque[ReadableSpan] = deque(maxlen=MOST_WAITING)
        self._writer = BackgroundWriter(
            self._post_batch,
            lambda: NOW if self._spans else NEVER,
            Faults(log),
            failed="sending spans failed",
            pauses_s=_PAUSES_S,
            flush_s=_LAST_S,
        )
        self._failing = False
        self._losing = False
        self.lost = 0
        """Spans that gave way to newer ones, or could not be written."""

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it for the task; the oldest gives way."""
        if len(self._spans) == MOST_WAITING:
            self._lose(1)
        self._spans.append(span)
        self._writer.news()

    def _lose(self, spans: int) -> None:
        if spans and not self._losing:  # once until they are sent again
            log.error("spans lost: the collector has taken none for too long")
        self._losing = self._losing or spans > 0
        self.lost += spans

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Post until the block is left; then, for a moment at most, the rest."""
        async with self._client, self._writer.opened("otlp"):
            yield

    async def _post_batch(self) -> bool:
        """Post the oldest spans; False, and they stay, when the collector does not take them."""
        batch = [self._spans.popleft() for _ in range(min(_BATCH, len(self._spans)))]
        taken = False
        try:
            taken = await self._post(self._client, batch)
        finally:
            if not taken:  # also when cancelled
                room = MOST_WAITING - len(self._spans)
                self._lose(max(0, len(batch) - room))
                self._spans.extendleft(reversed(batch[max(0, len(batch) - room) :]))
        return taken

    async def _post(self, client: httpx.AsyncClient, batch: list[ReadableSpan]) -> bool:
        body = self._body(batch)
        with contained() as failure:
            answer = await client.post(self._url, content=body, headers={"Content-Type": "application/json"})
        if failure.error is not None:  # also what is no httpx.HTTPError: a host that cannot be looked up
            trouble = failure.kinds[0]
        else:
            trouble = f"http_{answer.status_code}" if answer.status_code in _TRY_AGAIN else ""
            if answer.is_error and not trouble:
                log.warning("spans refused", extra={"status": answer.status_code, "spans": len(batch)})
        if trouble and not self._failing:  # once, not at every try
            log.warning("spans cannot be sent", extra={"trouble": trouble})
        elif self._failing and not trouble:
            log.warning("spans are sent again", extra={"lost": self.lost})
            self._losing = False
        self._failing = bool(trouble)
        return not trouble

    def _body(self, batch: list[ReadableSpan]) -> bytes:
        """What can be written of a batch: a span that cannot costs itself only."""
        with contained():
            return json.dumps(as_otlp(batch)).encode()
        fit = []
        for span in batch:
            with contained() as failure:
                json.dumps(as_otlp([span])).encode()
                fit.append(span)
            if failure.error is not None:
                self.lost += 1
                log.error("a span cannot be written", extra={"errors": failure.kinds, "lost": self.lost})
        return json.dumps(as_otlp(fit) if fit else {}).encode()


@asynccontextmanager
async def open_otlp(phone: Phone, url: str) -> AsyncIterator[None]:
    """Trace this phone's calls to that collector until the block is left."""
    sender = SpanSender(url)
    provider = TracerProvider(resource=Resource({"service.name": SCOPE}), shutdown_on_exit=False)
    provider.add_span_processor(sender)
    async with sender.opened():
        with trace_calls(phone, provider):
            yield


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
