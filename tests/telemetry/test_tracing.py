"""Spans of calls: what a trace tells of a call, and how it reaches a collector."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from llcphone import ConfigError
from llcphone.config.metrics import MetricsConfig
from llcphone.server.run import open_traces
from llcphone.telemetry import otlp
from llcphone.telemetry.otlp import MOST_WAITING, SpanSender, open_otlp
from llcphone.telemetry.tracing import trace_calls
from tests.calls.stage import INTERRUPTION, JUST_END, QUESTION, nothing_left, rehearsal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llcphone.testing import Rehearsal

STORY = "Once upon a time there was a miller who had three sons."


class Collector:
    """A collector of OTLP over HTTP, by hand."""

    def __init__(self) -> None:
        self.status = b"200 OK"
        self.paths: list[str] = []
        self.spans: list[dict[str, Any]] = []
        self.requests = 0

    async def serve(self, task_status: trio.TaskStatus[str]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        task_status.started(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}")
        await trio.serve_listeners(self._keep, listeners)

    async def _keep(self, stream: trio.SocketStream) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += await stream.receive_some()
        head, _, body = received.partition(b"\r\n\r\n")
        lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
        length = next(int(value) for name, _, value in lines if name == b"content-length")
        while len(body) < length:
            body += await stream.receive_some()
        self.requests += 1
        if self.status.startswith(b"200"):
            self.paths.append(head.split()[1].decode())
            (resource,) = json.loads(body)["resourceSpans"]
            self.spans += resource["scopeSpans"][0]["spans"]
        head = b"HTTP/1.1 " + self.status + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        await stream.send_all(head + b"{}")
        await stream.aclose()


@asynccontextmanager
async def collecting(status: bytes = b"200 OK") -> AsyncIterator[tuple[Collector, str]]:
    """A collector that answers so, and its address."""
    collector = Collector()
    collector.status = status
    async with trio.open_nursery() as nursery:
        yield collector, await nursery.start(collector.serve)
        nursery.cancel_scope.cancel()


def exported() -> tuple[TracerProvider, InMemorySpanExporter]:
    provider, kept = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return provider, kept


async def one_call(stage: Rehearsal) -> None:
    call = await stage.ring()
    call.hang_up()
    await stage.record()


def attributes(span: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


async def test_a_call_is_a_trace_and_each_turn_a_span_in_it(autojump_clock) -> None:
    provider, kept = exported()
    async with rehearsal(script=["Good morning, this is the bakery.", STORY, "Yes?"]) as stage:
        with trace_calls(stage.phone, provider):
            call = await stage.ring()
            await call.hears_out(0.5, 1_500)
            await call.speak(QUESTION)
            await call.hears(0.5)
            await call.speak(INTERRUPTION)
            await trio.sleep(2)
            call.hang_up()
            record = await stage.record()
    *turns, whole = kept.get_finished_spans()
    assert whole.name == "call"
    assert whole.parent is None
    assert whole.attributes["llcphone.call"] == record.call_id
    assert whole.attributes["llcphone.reason"] == "caller hung up"
    assert (whole.end_time - whole.start_time) / 1e9 == pytest.approx(record.duration_s)
    assert len(turns) == len(record.turns)
    assert {turn.parent.span_id for turn in turns} == {whole.context.span_id}
    answered = next(turn for turn in turns if turn.attributes["llcphone.asked"] == "caller")
    told = next(turn for turn in record.turns if turn["asked"] == "caller")
    assert (answered.end_time - answered.start_time) / 1e6 == told["ear_gap_ms"]
    names = [event.name for event in answered.events]
    assert names == ["decided", "created", "first_delta", "sent", "barged_in"]
    assert all(whole.start_time <= turn.start_time <= turn.end_time <= whole.end_time for turn in turns)


async def test_a_lost_model_is_a_span_and_a_call_that_failed_says_so(autojump_clock) -> None:
    provider, kept = exported()
    async with rehearsal(script=[STORY], recovery=JUST_END) as stage:
        with trace_calls(stage.phone, provider):
            call = await stage.ring()
            await call.hears(0.5)
            (await stage.session()).reset()
            await stage.record()
    spans = {span.name: span for span in kept.get_finished_spans()}
    assert not spans["call"].status.is_ok
    assert spans["call"].status.description == "model leg lost"


async def test_spans_reach_the_configured_collector(autojump_clock) -> None:
    async with (
        collecting() as (collector, url),
        nothing_left(),
        rehearsal(metrics={"traces_url": url}) as stage,
    ):
        for number in (1, 2):
            call = await stage.ring()
            await call.hears(0.3)
            call.hang_up()
            record = await stage.record(number)
        await trio.sleep(1)
    assert set(collector.paths) == {"/v1/traces"}
    calls = [span for span in collector.spans if span["name"] == "call"]
    assert attributes(calls[1])["llcphone.call"] == record.call_id
    turn = next(span for span in collector.spans if span["name"] == "turn")
    assert turn["parentSpanId"] == calls[0]["spanId"]
    assert turn["traceId"] == calls[0]["traceId"] != calls[1]["traceId"]
    assert int(turn["endTimeUnixNano"]) >= int(turn["startTimeUnixNano"]) > 1_700_000_000 * 10**9


async def test_a_collector_that_is_away_costs_nothing_until_it_is_back(autojump_clock, caplog) -> None:
    async with (
        collecting(b"503 Service Unavailable") as (collector, url),
        rehearsal() as stage,
        open_otlp(stage.phone, url),
    ):
        await one_call(stage)
        await trio.sleep(30)
        assert collector.spans == []
        assert collector.requests == 3  # after 0, 5 and 15 s; the next is after 35
        collector.status = b"200 OK"
        await trio.sleep(6)
        assert [span["name"] for span in collector.spans] == ["call"]
    assert caplog.text.count("spans cannot be sent") == 1
    assert caplog.text.count("spans are sent again") == 1


async def test_a_span_that_cannot_be_written_costs_itself_only(autojump_clock, caplog, monkeypatch) -> None:
    real = otlp._span

    def broken(span: Any) -> Any:
        if span.name == "odd":
            raise KeyError("planted")
        return real(span)

    monkeypatch.setattr(otlp, "_span", broken)
    provider = TracerProvider(shutdown_on_exit=False)
    async with collecting() as (collector, url):
        sender = SpanSender(url)
        provider.add_span_processor(sender)
        tracer = provider.get_tracer("test")
        for name in ("one", "odd", "two"):
            tracer.start_span(name).end()
        async with sender.opened():
            await trio.sleep(5)
    assert [span["name"] for span in collector.spans] == ["one", "two"]
    assert sender.lost == 1
    assert "planted" not in caplog.text


@pytest.mark.parametrize("fault", [UnicodeError, SystemExit, httpx.InvalidURL])
async def test_a_post_that_fails_oddly_is_tried_again(fault, autojump_clock, monkeypatch, caplog) -> None:
    tries = []

    async def post(self: Any, *args: Any, **names: Any) -> Any:
        tries.append(trio.current_time())
        raise fault("planted")

    monkeypatch.setattr(httpx.AsyncClient, "post", post)
    sender, provider = SpanSender("http://127.0.0.1:1"), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(sender)
    provider.get_tracer("test").start_span("one").end()
    start = trio.current_time()
    async with sender.opened():
        await trio.sleep(400)
    assert [round(at - start) for at in tries[:-1]] == [0, 5, 15, 35, 95, 395]
    assert "planted" not in caplog.text


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1/v1/traces"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/v1/traces"),
        ("https://h/otlp?key=a", "https://h/otlp/v1/traces?key=a"),
        ("https://h/v1/traces?key=a", "https://h/v1/traces?key=a"),
    ],
)
def test_the_collector_is_asked_where_it_is(url, asked) -> None:
    assert SpanSender(url)._url == asked


async def test_what_a_collector_refuses_is_not_sent_again(autojump_clock, caplog) -> None:
    async with (
        collecting(b"400 Bad Request") as (collector, url),
        rehearsal() as stage,
        open_otlp(stage.phone, url),
    ):
        await one_call(stage)
        await trio.sleep(30)
    assert collector.requests == 1
    assert "spans refused" in caplog.text


async def test_what_ended_last_is_sent_before_leaving(autojump_clock) -> None:
    async with collecting() as (collector, url), rehearsal() as stage, open_otlp(stage.phone, url):
        await one_call(stage)
    assert [span["name"] for span in collector.spans] == ["call"]


async def test_spans_that_wait_are_bounded_and_the_oldest_give_way(autojump_clock) -> None:
    sender = SpanSender("http://127.0.0.1:1")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(sender)
    tracer = provider.get_tracer("test")
    for number in range(MOST_WAITING + 5):
        tracer.start_span(str(number)).end()
    async with sender.opened():
        await trio.sleep(60)  # nobody listens there
    waiting = [int(span.name) for span in sender._spans]
    assert waiting == list(range(5, MOST_WAITING + 5))


async def test_without_the_extra_the_setting_says_what_to_install(autojump_clock, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "llcphone.telemetry.otlp", None)
    with pytest.raises(ConfigError, match=r"llcphone\[otel\]"):
        async with open_traces(None, MetricsConfig(traces_url="http://127.0.0.1:4318")):
            raise AssertionError("there is no OpenTelemetry")
