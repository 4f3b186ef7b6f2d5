"""The phone: what stands between calls.

``open_phone`` owns one nursery; every call is a child of it, born by ``answer``. ``answer`` and
``join`` are synchronous, so the request's task owns nothing of a call. Leaving ``open_phone``
normally drains; leaving it by an error or a cancellation ends all calls at once.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from llcphone.agent import Agent
from llcphone.call.endpoint import Endpoint, leg_limits
from llcphone.call.plan import plan_call
from llcphone.call.record import CallRecord
from llcphone.call.run import CallRun, CallServices
from llcphone.engine.commands import Note
from llcphone.engine.events import EndReason
from llcphone.errors import ConfigError, JoinRefused
from llcphone.twilio import twiml
from llcphone.wire.adapters import ForeignLeg

if TYPE_CHECKING:
    from llcphone.config import Config
    from llcphone.wire.leg import Leg

log = logging.getLogger("llcphone.phone")

AgentChoice = Agent | Callable[[Mapping[str, str]], Agent]
"""One agent for all calls, or a function of the webhook's form."""

OnRecord = Callable[[CallRecord], None]
OnNote = Callable[["Call", Note], None]

_DRAINED_S = 2.0
"""What calls get to close their sockets once the drain limit has passed."""


class Call:
    """A call as its owner, its tools and its hooks see it."""

    def __init__(self, form: Mapping[str, str], *, direction: str) -> None:
        self.call_id = secrets.token_hex(8)
        self.call_sid = form.get("CallSid", "")
        self.caller = form.get("From", "")
        self.dialled = form.get("To", "")
        self.direction = direction
        self.state: dict[str, Any] = {}
        self.token = secrets.token_urlsafe(24)
        self.twiml = ""
        self.record: CallRecord | None = None
        self._ended = trio.Event()
        self._run: CallRun | None = None

    def hang_up(self) -> None:
        """End the call once the agent's last word was heard."""
        self.run.hang_up()

    def end(self, reason: EndReason = EndReason.CANCELLED) -> None:
        """End the call now."""
        self.run.end(reason)

    async def wait(self) -> CallRecord:
        """Wait for the call's end; returns its record."""
        await self._ended.wait()
        assert self.record is not None
        return self.record

    @property
    def run(self) -> CallRun:
        """The call's nursery and engine."""
        assert self._run is not None
        return self._run


class Phone:
    """Live calls, and the tokens their media streams will bring."""

    def __init__(
        self,
        config: Config,
        agent: AgentChoice,
        nursery: trio.Nursery,
        endpoint: Endpoint,
        *,
        on_record: OnRecord | None,
        on_note: OnNote | None,
    ) -> None:
        self.config = config
        self.endpoint = endpoint
        self.draining = False
        self.finished_calls = 0
        self._agent = agent
        self._nursery = nursery
        self._on_record = on_record
        self._on_note = on_note
        self._calls: dict[str, Call] = {}
        self._by_token: dict[str, Call] = {}
        self._by_sid: dict[str, Call] = {}
        self._detached = 0
        self._changed = trio.Event()

    # -- webhooks ---------------------------------------------------------------------------

    def answer(self, form: Mapping[str, str]) -> str:
        """A voice webhook: the call is born here. Synchronous; returns the TwiML.

        A retried webhook (same ``CallSid``) gets the same call. While draining, or at the limit of
        ``server.max_calls``, the way out is returned instead; it never raises for that.

        Raises:
            ConfigError: ``server.public_url`` is not set, so Twilio could not find the stream.
        """
        if (known := self._by_sid.get(form.get("CallSid", ""))) is not None:
            return known.twiml
        if self.draining or len(self._calls) >= self.config.server.max_calls:
            log.warning("call not admitted", extra={"live": len(self._calls), "draining": self.draining})
            return twiml.busy()
        if not self.config.server.public_url:
            raise ConfigError("server.public_url", "needed to tell Twilio where the media stream goes")
        agent = self._agent if isinstance(self._agent, Agent) else self._agent(form)
        call = Call(form, direction="inbound")
        stream_url = twiml.stream_url(self.config.server.public_url, call.token)
        call.twiml = twiml.connect_stream(stream_url)
        self._begin(call, agent, outbound=False)
        return call.twiml

    def _begin(self, call: Call, agent: Agent, *, outbound: bool) -> None:
        setup = plan_call(
            self.config,
            agent,
            call_sid=call.call_sid,
            outbound=outbound,
            dialect=self.endpoint.dialects.answer,
        )
        identity = {
            "call_id": call.call_id,
            "call_sid": call.call_sid,
            "direction": call.direction,
            "agent": agent.name,
        }
        on_note = self._on_note
        services = CallServices(
            dial_model=partial(self.endpoint.dial, caller=call.caller),
            dialects=self.endpoint.dialects,
            on_record=partial(self._call_ended, call),
            wall_clock=time.time,
            start_detached=self._start_detached,
            tool_timeout_s=self.config.call.tool_timeout_s,
            close_timeout_s=self.config.call.close_timeout_s,
            transcript=self.config.records.transcript,
            observe=None if on_note is None else partial(on_note, call),
        )
        call._run = CallRun(setup, agent=agent, identity=identity, handle=call, services=services)
        self._calls[call.call_id] = call
        self._by_token[call.token] = call
        if call.call_sid:
            self._by_sid[call.call_sid] = call
        self._nursery.start_soon(call.run.run, name=f"call {call.call_id}")

    # -- media streams ----------------------------------------------------------------------

    def expects(self, token: str) -> bool:
        """Whether this one-time token is still good."""
        call = self._by_token.get(token)
        return call is not None and not call.run.over

    def join(self, token: str, leg: Leg) -> None:
        """Hand a media stream's leg to the call that waits for it. Synchronous.

        The taker closes the leg; when this raises, the giver keeps it.

        Raises:
            JoinRefused: no call waits for this token.
        """
        call = self._by_token.pop(token, None)
        if call is None:
            raise JoinRefused("no call waits for this media stream")
        call.run.join(leg)

    async def serve_leg(self, websocket: Any, token: str | None = None) -> None:
        """Serve a foreign socket in its handler's task; returns when the call has ended.

        Args:
            websocket: quart's websocket object (``websocket._get_current_object()``) or a
                trio-websocket connection, already accepted.
            token: the one-time token; None takes the last segment of the socket's own path.

        Raises:
            JoinRefused: no call waits for this token.
        """
        if token is None:
            token = str(websocket.path).partition("?")[0].rpartition("/")[2]
        leg = ForeignLeg(websocket, limits=leg_limits(self.config))
        self.join(token, leg)
        await leg.pump()

    # -- state ------------------------------------------------------------------------------

    @property
    def live_calls(self) -> int:
        """Calls born and not yet recorded."""
        return len(self._calls)

    def calls(self) -> list[Call]:
        """The live calls."""
        return list(self._calls.values())

    def ready(self) -> list[str]:
        """Why new calls would not be taken; empty when they are."""
        reasons = []
        if self.draining:
            reasons.append("draining")
        if self.endpoint.trouble is not None:
            reasons.append(f"model endpoint: {self.endpoint.trouble}")
        if len(self._calls) >= self.config.server.max_calls:
            reasons.append("at server.max_calls")
        return reasons

    async def drain(self, limit_s: float | None = None) -> None:
        """Take no new call, let live ones (born ones included) end, then end the rest.

        Args:
            limit_s: how long to wait, in seconds; None: ``server.drain_limit_s``.
        """
        self.draining = True
        limit = self.config.server.drain_limit_s if limit_s is None else limit_s
        with trio.move_on_after(limit):
            await self._empty()
        for call in self.calls():
            call.end(EndReason.DRAINED)
        with trio.move_on_after(_DRAINED_S + self.config.call.close_timeout_s):
            await self._empty()

    async def _empty(self) -> None:
        while self._calls or self._detached:
            if self._changed.is_set():  # one event for all who wait
                self._changed = trio.Event()
            await self._changed.wait()

    def _call_ended(self, call: Call, record: CallRecord) -> None:
        call.record = record
        self._calls.pop(call.call_id, None)
        self._by_token.pop(call.token, None)
        self._by_sid.pop(call.call_sid, None)
        self.finished_calls += 1
        call._ended.set()
        self._changed.set()
        fields = {"call": call.call_id, "reason": record.reason.value, "duration_s": record.duration_s}
        log.info("call ended", extra=fields)
        if self._on_record is not None:
            try:
                self._on_record(record)
            except Exception as exc:  # whoever keeps records may fail: no call ends for it
                kind = type(exc).__name__
                log.error("call record not taken", extra={"call": call.call_id, "error": kind})

    def _start_detached(self, function: Callable[..., Any], *args: Any, name: str) -> None:
        self._detached += 1

        async def run() -> None:
            try:
                await function(*args)
            finally:
                self._detached -= 1
                self._changed.set()

        self._nursery.start_soon(run, name=name)


@asynccontextmanager
async def open_phone(
    config: Config,
    agent: AgentChoice,
    *,
    on_record: OnRecord | None = None,
    on_note: OnNote | None = None,
) -> AsyncIterator[Phone]:
    """A phone inside the caller's own task tree.

    Args:
        config: the settings.
        agent: who answers, or a function that chooses by the webhook's form.
        on_record: called synchronously with every call's record.
        on_note: called synchronously with what happens in calls (floor, words, tools, barge-in);
            it runs inside the engine's step, so it must be quick.

    Yields:
        The phone. Leaving the block normally drains it, within ``server.drain_limit_s``.
    """
    endpoint = Endpoint(config)
    async with trio.open_nursery() as nursery:
        phone = Phone(config, agent, nursery, endpoint, on_record=on_record, on_note=on_note)
        try:
            async with trio.open_nursery() as background:
                background.start_soon(endpoint.keep_asking, name="dialect question")
                yield phone
                background.cancel_scope.cancel(reason="leaving")
        finally:
            phone.draining = True  # after an error too: a late webhook gets the way out, not a dead nursery
        await phone.drain()
        nursery.cancel_scope.cancel(reason="drained")
