"""The phone: what stands between calls.

Every call is a child of the nursery that ``open_phone`` (in ``phone_open``) owns, born by ``answer``.
``answer`` and ``join`` are synchronous, so the request's task owns nothing of a call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.agent import Agent
from llcphone.call.background_tasks import BackgroundTasks
from llcphone.call.call import Call
from llcphone.call.record import CallRecord
from llcphone.call.run import CallRun
from llcphone.call.services import CallServices
from llcphone.call.session_source import SessionSource
from llcphone.call.setup import brief_of, plan_call
from llcphone.engine.events import EndReason
from llcphone.engine.notes import Note
from llcphone.errors import ConfigError, NoAgent
from llcphone.phone.breaker import CircuitBreaker
from llcphone.phone.call_warnings import CallWarnings
from llcphone.phone.day_budget import DayBudget
from llcphone.phone.drain import drain
from llcphone.phone.loop_monitor import LoopMonitor
from llcphone.phone.moved_calls import MovedCalls
from llcphone.phone.overload import Overload
from llcphone.phone.placing import Placing
from llcphone.phone.streams import MediaStreams
from llcphone.phone.transfers import Transfers
from llcphone.runtime.containment import Faults, contained
from llcphone.runtime.log_lines import logger
from llcphone.twilio import twiml
from llcphone.twilio.forms import is_over
from llcphone.validation.arguments import need

if TYPE_CHECKING:
    from llcphone.call.endpoint import Endpoint
    from llcphone.call.services import Taping
    from llcphone.config import Config
    from llcphone.engine.resumed import Resumed
    from llcphone.phone.dialler import Dialler
    from llcphone.phone.resumption import CallResumption
    from llcphone.phone.warm_pool import WarmPool
    from llcphone.store.store import Store
    from llcphone.wire.poller import Poller

log = logger("llcphone.phone")
AgentChoice = Agent | Callable[[Mapping[str, str]], Agent]
"""One agent for all calls, or a function of the webhook's form."""

OnRecord = Callable[[CallRecord], None]
OnNote = Callable[["Call", Note], None]

_NO_MODEL = "no model session can be had"


class Phone(Placing, MediaStreams):
    """Live calls, and what begins and ends them."""

    def __init__(
        self,
        config: Config,
        agent: AgentChoice,
        nursery: trio.Nursery,
        endpoint: Endpoint,
        *,
        on_record: Sequence[OnRecord],
        on_note: OnNote | None,
    ) -> None:
        self.config = config
        self.endpoint = endpoint
        self.draining = self.closing = False  # draining: no new call; closing: no caller comes back either
        self.finished_calls = 0
        self.agent = agent
        """Who answers, or the function that chooses."""
        self.observers: list[OnNote] = [] if on_note is None else [on_note]
        """Told of what happens in calls, within their step."""
        self.on_end: list[Callable[[Call], None]] = []
        """Told of each call once it has its record."""
        self.faults = Faults(log)
        """What failed of that which serves all calls, and was contained."""
        self.day_budget = DayBudget(config.money, time.time)
        self.breaker = CircuitBreaker(config.breaker, endpoint.ask)
        """Open while no model session can be had: then new calls are not let in."""
        self.observers += [self.breaker.noted, self.day_budget.noted, CallWarnings().noted]
        self.on_end += [self.breaker.ended, self.day_budget.ended]
        self._nursery = nursery
        self._on_record = on_record
        self._calls: dict[str, Call] = {}
        self._by_token: dict[str, Call] = {}
        self.overload = Overload(config.overload, lambda: len(self._calls))
        self.loop_monitor = LoopMonitor(
            self.calls, close_timeout_s=config.call.close_timeout_s, faults=self.faults
        )
        self.loop_monitor.listeners.append(self.overload.look)
        self._detached = BackgroundTasks(nursery, lambda: self._changed.set())
        self.warm: WarmPool | None = None  # sessions that are ready before anybody calls
        self.dialler: Dialler | None = None
        """Rings people; None when ``twilio.account_sid`` is not set."""
        self.poller: Poller | None = None  # reads the sockets of all calls
        self.taping: Taping | None = None  # black boxes, when ``records.blackbox_dir`` is set
        self.start_task = self._detached.start  # a task that outlives its call; drain waits for it
        self.moved_calls = MovedCalls(self)
        self.transfers = Transfers(self)  # where callers go when they leave their agent
        self.resumption: CallResumption | None = (
            None  # lets calls outlive this process, when there is a journal
        )
        self.store: Store | None = None  # calls, customers, appointments, when there is one
        self._changed = trio.Event()

    # -- webhooks ---------------------------------------------------------------------------

    def answer(self, form: Mapping[str, str]) -> str:
        """A voice webhook: the call is born here. Synchronous; returns the TwiML.

        A retried webhook (same ``CallSid``) gets the same call, also when it has a media stream already, or
        had one a moment ago (``rejoining``). While draining, at ``server.max_calls``,
        or while no model can be had, the fallback is returned instead; it never raises for that.
        A call that is over already begins nothing.

        Raises:
            ConfigError: ``server.public_url`` is not set, so Twilio could not find the stream.
            NoAgent: the function that chooses the agent has failed.
        """
        need(form, Mapping, "answer: form", "the webhook's fields, as a table")
        if is_over(form):
            return twiml.nothing()
        if (known := self.newest_run(form.get("CallSid", ""))) is not None:
            return self.moved_calls.document(known)
        if back := self.moved_calls.back(form):
            return back
        closed = self._closed()
        if closed == [_NO_MODEL] and self.choose(form).stand_in:
            closed = []  # its menu of keys needs no model
        if closed:
            self.loop_monitor.turned_away[closed[0]] += 1
            log.warning("call not admitted", extra={"live": len(self._calls), "why": closed[0]})
            fallback = self.overload.another_node(form) or self.transfers.instead_of_busy(form)
            return fallback or self.overload.busy(form, self.transfers.speech)
        if not self.config.server.public_url:
            raise ConfigError("server.public_url", "needed to tell Twilio where the media stream goes")
        agent = self.choose(form)
        call = Call.of_webhook(form)
        self._begin(call, agent)
        return call.twiml

    async def after_stream(self, form: Mapping[str, str], generation: int) -> str:
        """Twilio asks what next, for the media stream of this generation has ended; returns the TwiML."""
        if (left := await self.transfers.after_stream(form, generation)) is not None:
            return left
        if self.resumption is None:
            return twiml.nothing()
        return await self.resumption.after_stream(form, generation)

    def resume(self, call: Call, agent: Agent, resumed: Resumed, *, context: str) -> None:
        """Go on with a call whose older run, here or elsewhere, has ended."""
        self._begin(call, agent, context=context, resumed=resumed)
        if self.dialler is not None and call.direction == "outbound":
            self.dialler.goes_on(call.call_sid)

    def write_document(self, call: Call) -> None:
        """Let ``call.twiml`` be the document that brings its media stream."""
        action = (self.resumption or self.transfers).action_url(call.generation)
        stream_url = twiml.stream_url(self.config.server.public_url, call.token)
        recorded = self.transfers.recorded_from(call)
        call.twiml = twiml.connect_stream(stream_url, action=action, recorded=recorded)

    def _begin(
        self,
        call: Call,
        agent: Agent,
        *,
        dialler: Dialler | None = None,
        context: str = "",
        resumed: Resumed | None = None,
        trusted: bool = False,
    ) -> None:
        person = call.dialled if call.direction == "outbound" else call.caller
        held = partial(self.loop_monitor.held, call)
        context = context if resumed else brief_of(agent, call, context, held)
        resumption, transfers, call.context = self.resumption, self.transfers, context
        self.write_document(call)
        config = agent.over(self.config)
        setup = plan_call(
            config,
            agent,
            call_sid=call.call_sid,
            outbound=call.direction == "outbound",
            context=context,
            dial=None if dialler is None else dialler.plan(),
            dialect=self.endpoint.dialects.answer,
            resumed=resumed,
            lasted_s=call.lasted_s,
            spent_usd=call.spent_usd,
        )
        services = CallServices(
            config=config,
            sessions=SessionSource(
                partial(self.endpoint.dial, caller=person),
                self.endpoint.dialects,
                None if self.warm is None else self.warm.taker(agent),
            ),
            on_record=partial(self._call_ended, call),
            wall_clock=time.time,
            start_detached=self._detached.start,
            dial=None if dialler is None else partial(dialler.dial, call),
            observe=partial(self._noted, call),
            on_loop_held=held,
            on_over=partial(self._over, call),
            poller=self.poller,
            tape=self.taping,
        )
        call.store = self.store
        call.begin(CallRun(setup, agent=agent, handle=call, services=services), transfers)
        if dialler is not None:
            dialler.admit(call, trusted=trusted)  # last: nothing can fail once it counts
        self._calls[call.call_id] = call
        self._by_token[call.token] = call
        if resumption is not None:
            resumption.born(call, agent.name, context)
        self._nursery.start_soon(call.run.run, name=f"call {call.call_id}")

    # -- state ------------------------------------------------------------------------------

    @property
    def live_calls(self) -> int:
        """Calls born and not yet recorded."""
        return len(self._calls)

    def calls(self) -> list[Call]:
        """The live calls."""
        return list(self._calls.values())

    def newest_run(self, call_sid: str) -> Call | None:
        """The run that has this telephone call now; None when none of ours has."""
        live = (call for call in self._calls.values() if not call.run.over)
        runs = (call for call in live if call_sid and call.call_sid == call_sid)
        return max(runs, key=lambda call: call.generation, default=None)

    def ready(self) -> list[str]:
        """Why new calls would not be taken; empty when they are."""
        trouble = self.endpoint.trouble
        lists = self.dialler.trouble if self.dialler is not None else ""
        refused = {
            f"agent {name}": f"its settings are refused, {why}" for name, why in self.endpoint.refused.items()
        }
        whose = {"model endpoint": trouble, "no outbound calls": lists, **refused}
        return self._closed() + [f"{name}: {why}" for name, why in whose.items() if why]

    def _closed(self) -> list[str]:
        """Why a new call gets the fallback; empty when it is let in."""
        reasons = {"draining": self.draining}
        reasons["at server.max_calls"] = len(self._calls) >= self.config.server.max_calls
        reasons[_NO_MODEL] = self.breaker.is_open
        reasons["the day's budget is spent"] = self.day_budget.over
        return [reason for reason, holds in reasons.items() if holds] + self.overload.reasons()

    async def drain(self, limit_s: float | None = None) -> None:
        """Take no new call, let live ones (born ones included) end, then end the rest.

        Args:
            limit_s: how long to wait, in seconds; None: ``drain.limit_s``.
        """
        need(limit_s, (int, float, type(None)), "drain: limit_s", "seconds")
        await drain(self, self.config.drain.limit_s if limit_s is None else limit_s)

    async def wait_until_empty(self) -> None:
        """Wait until no call lives, and no tool goes on after its call."""
        while self._calls or self._detached.running:
            if self._changed.is_set():  # one event for all who wait
                self._changed = trio.Event()
            await self._changed.wait()

    def _call_ended(self, call: Call, record: CallRecord) -> None:
        """A run has its record: its place is free, whatever fails of what is told of it."""
        self._calls.pop(call.call_id, None)
        self._by_token.pop(call.token, None)
        self.finished_calls += 1
        whose = {"call": call.call_id}
        with self.faults.contained("end of a call not noted", **whose):
            record = attrs.evolve(
                record,
                generation=call.generation,
                resumed_from=call.resumed_from,
                transferred_to=self.transfers.destination_of(call),
            )
        with self.faults.contained("a call not hung up at its end", **whose):
            leaves = self._leaves_telephone(call, record.reason)
            if self.dialler is not None and call.run.status.dial is not None:
                self.dialler.over(call, leave=leaves)
            elif self.dialler is not None and call.direction == "outbound" and not leaves:
                self.dialler.freed(call.call_sid)
        call.finish(record)
        self._changed.set()
        fields = {**whose, "reason": record.reason.value, "duration_s": record.duration_s}
        log.info("call ended", extra=fields)
        taken = "end of a call not taken"
        self.faults.tell_all(taken, self._on_record, record, **whose)
        self.faults.tell_all(taken, self.on_end, call, **whose)

    def _leaves_telephone(self, call: Call, reason: EndReason) -> bool:
        """Whether the telephone call may go on without this run, so that we do not hang it up.

        A ``stop`` is Twilio's: the call has ended, or somebody has moved it. Neither needs our help.
        """
        stopped = reason is EndReason.CALLER_HUNG_UP or self.newest_run(call.call_sid) is not None
        resumable = self.resumption is not None and self.resumption.goes_on(reason)
        return stopped or resumable or self.transfers.leaves(call)

    def _over(self, call: Call, reason: EndReason) -> None:
        """The engine has ended a run; its sockets are still open."""
        listeners = [self.transfers.over]
        if self.resumption is not None:
            listeners.append(self.resumption.ended)
        listeners.append(self.moved_calls.over)
        self.faults.tell_all("end of a run not noted", listeners, call, reason, call=call.call_id)

    def _noted(self, call: Call, note: Note) -> None:
        self.faults.tell_all("note not taken", self.observers, call, note, call=call.call_id)

    def choose(self, form: Mapping[str, str]) -> Agent:
        """Who answers such a call; raises ``NoAgent`` when the user's function fails."""
        if isinstance(self.agent, Agent):
            return self.agent
        with contained() as failure:
            chosen: object = self.agent(form)
            if isinstance(chosen, Agent):
                return chosen
        kinds = failure.kinds or [f"{type(chosen).__name__} for Agent"]
        self.faults.count("no agent was chosen", kinds)
        raise NoAgent(kinds)
