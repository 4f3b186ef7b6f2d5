"""The phone: what all calls share.

``open_phone`` (in ``open``) builds its parts, owns the nursery of all calls, and puts the phone together
from them. ``answer`` and ``join`` are synchronous, so the request's task owns nothing of a call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.errors import JoinRefused
from llcphone.phone.admission import DRAINING
from llcphone.phone.drain import drain
from llcphone.phone.ordering import Order
from llcphone.runtime.host import need_trio
from llcphone.runtime.log_lines import logger
from llcphone.twilio import twiml
from llcphone.validation.arguments import need, need_methods
from llcphone.wire.foreign_leg import QUART, TRIO_WEBSOCKET, ForeignLeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.agent import Agent
    from llcphone.call.call import Call
    from llcphone.config import Config
    from llcphone.phone.admission import Admission
    from llcphone.phone.agents import AgentChoice, AgentChooser
    from llcphone.phone.answering import Answering
    from llcphone.phone.calls import LiveCalls, OnNote
    from llcphone.phone.day_budget import DayBudget
    from llcphone.phone.dialler import Dialler
    from llcphone.phone.endpoints import Endpoints
    from llcphone.phone.loop_monitor import LoopMonitor
    from llcphone.phone.moved_calls import MovedCalls
    from llcphone.phone.ordering import Ordering
    from llcphone.phone.overload import Overload
    from llcphone.phone.resumption import CallResumption
    from llcphone.phone.runs import CallRuns
    from llcphone.phone.sweep import Sweep
    from llcphone.phone.transfers.transfers import Transfers
    from llcphone.phone.warm_pool import WarmPool
    from llcphone.runtime.containment import Faults
    from llcphone.shared.shared import Shared
    from llcphone.store.store import Store
    from llcphone.wire.leg import Leg

log = logger("llcphone.phone")


@attrs.frozen(eq=False, kw_only=True, slots=False)
class Phone:
    """Live calls, and what begins and ends them; made by ``open_phone``.

    Attributes:
        config: the settings.
        endpoints: where model sessions are opened, and which of them give sessions.
        admission: whether new calls are taken.
        agents: the agents that answer.
        warm: sessions that are ready before a call comes.
        loop_monitor: how late the event loop is.
        day_budget: what today's calls have cost.
        overload: whether one more call is too many.
        transfers: where callers go when they leave their agent.
        dialler: rings people; None when ``twilio.account_sid`` is not set.
        store: calls, customers, appointments; None when ``store.url`` is not set.
        shared: what is counted together with other processes; None when this one counts alone.
        sweep: redirects the calls of processes that have died; None when ``shared.sweep`` is false.
    """

    config: Config
    endpoints: Endpoints
    admission: Admission
    agents: AgentChooser
    warm: WarmPool
    loop_monitor: LoopMonitor
    day_budget: DayBudget
    overload: Overload
    transfers: Transfers
    dialler: Dialler | None
    store: Store | None
    shared: Shared | None
    sweep: Sweep | None
    _calls: LiveCalls
    _runs: CallRuns
    _moved_calls: MovedCalls
    _resumption: CallResumption | None
    _answering: Answering
    _ordering: Ordering
    connections: Counter[str] = attrs.field(factory=Counter, init=False)
    """Connections to the public port: those that were accepted, and what became of them."""

    # -- webhooks ---------------------------------------------------------------------------

    def answer(self, form: Mapping[str, str]) -> str:
        """A voice webhook: the call is born here. Synchronous; returns the TwiML.

        A retried webhook (same ``CallSid``) gets the same call, also when it has a media stream already, or
        had one a moment ago (``moved_calls``). While draining, at ``server.max_calls``,
        or while no model session can be opened, the fallback is returned instead; it never raises for that.
        A call that is over already begins nothing.

        Raises:
            ConfigError: ``server.public_url`` is not set, so Twilio could not find the stream.
            NoAgent: the function that chooses the agent has failed.
        """
        need(form, Mapping, "answer: form", "the webhook's fields, as a table")
        return self._answering.answer(form)

    async def take(self, form: Mapping[str, str]) -> str:
        """A voice webhook, as `answer` has it, with ``shared.max_calls``; without that it does not wait.

        Raises:
            ConfigError, NoAgent: as `answer`.
        """
        need(form, Mapping, "take: form", "the webhook's fields, as a table")
        return await self._answering.take(form)

    async def after_stream(self, form: Mapping[str, str], run_number: int, *, node: str = "") -> str:
        """Twilio asks what next, for the media stream of this run has ended; returns the TwiML.

        ``node`` is the name in the address that Twilio was given: whose run it was.
        """
        if (left := await self.transfers.after_stream(form, run_number)) is not None:
            return left
        if self._resumption is None:
            return twiml.nothing()
        return await self._resumption.after_stream(form, run_number, node)

    # -- calls of ours ----------------------------------------------------------------------

    def place_call(
        self,
        to: str,
        agent: Agent | None = None,
        *,
        context: str = "",
        caller_id: str = "",
        send_digits: str = "",
    ) -> Call:
        """Dial a number. Returns at once; await the call for its record.

        Args:
            to: whom to ring, in E.164.
            agent: the agent that speaks; None: the phone's own agent.
            context: what this call is about; it comes last in the prompt, so that the static part
                is cached.
            caller_id: one of our own numbers; empty: the first of them.
            send_digits: keys Twilio presses when the callee answers; no machine detection then.

        Raises:
            DialRefused: the guard refuses the call (``.code`` and ``.why`` say which rule).
            NotAdmitted: draining, at ``server.max_calls``, or no model session can be opened.
            NoAgent: the function that chooses the agent has failed.
            ConfigError: what is needed to place calls is not set.
            ValueError: ``send_digits`` are no keys (see ``tones``).
        """
        order = Order(to=to, agent=agent, context=context, caller_id=caller_id, send_digits=send_digits)
        return self._ordering.place(order)

    async def order_call(
        self,
        to: str,
        agent: Agent | None = None,
        *,
        context: str = "",
        caller_id: str = "",
        send_digits: str = "",
    ) -> Call:
        """`place_call`, once the limits of all nodes (``[shared]``) allow it; without them it does not wait.

        `place_call` finds out about them when it dials: a refused call ends as ``dial_refused`` then.

        Raises:
            DialRefused: also where a limit of all nodes is reached.
            NotAdmitted: also where these limits are not known, because their database does not answer.
            NoAgent, ConfigError, ValueError: as `place_call`.
        """
        order = Order(to=to, agent=agent, context=context, caller_id=caller_id, send_digits=send_digits)
        return await self._ordering.order(order)

    def check_call(self, to: str, *, caller_id: str = "") -> None:
        """Return if ``place_call`` would dial this number now; nothing is dialled or counted.

        Raises:
            DialRefused, NotAdmitted, ConfigError: as ``place_call``.
        """
        self._ordering.check(to, caller_id)

    def answer_placed(self, token: str, form: Mapping[str, str]) -> str:
        """Twilio asks what a call of ours shall hear, once or again; returns the TwiML."""
        call = None if self.dialler is None else self.dialler.answered(token, form)
        if call is not None:
            return self._moved_calls.document(call)
        return self._moved_calls.back(form) or twiml.hang_up()

    # -- media streams ----------------------------------------------------------------------

    def expects(self, token: str) -> bool:
        """Whether this one-time token is still good."""
        call = self._calls.waiting_for(token)
        return self._moved_calls.expects(token) if call is None else not call.run.over

    def join(self, token: str, leg: Leg) -> None:
        """Hand a media stream's leg to the call that waits for it. Synchronous.

        The taker closes the leg; when this raises, the giver keeps it.

        Raises:
            JoinRefused: no call waits for this token.
        """
        need(token, str, "join: token", "the last part of the stream's path")
        self._moved_calls.take_over(token)
        call = self._calls.take_stream(token)
        if call is None:
            raise JoinRefused(
                "no call waits for this media stream",
                "answer the call's webhook first",
            )
        call.run.join(leg)

    async def serve_leg(self, websocket: Any, token: str | None = None) -> None:
        """Serve a foreign socket in its handler's task; returns when the call has ended.

        Args:
            websocket: quart's ``websocket`` or a trio-websocket connection, already accepted.
            token: the one-time token; None takes the last segment of the socket's own path.

        Raises:
            JoinRefused: no call waits for this token.
        """
        need_trio("serve_leg")
        websocket = getattr(websocket, "_get_current_object", lambda: websocket)()  # quart's is a proxy
        methods = TRIO_WEBSOCKET if hasattr(websocket, TRIO_WEBSOCKET[0]) else QUART
        fix = "quart's websocket, or a connection of trio-websocket"
        need_methods(websocket, methods, "serve_leg: websocket", fix)
        if token is None:
            token = str(websocket.path).partition("?")[0].rpartition("/")[2]
        leg = ForeignLeg(websocket)
        self.join(token, leg)
        await leg.pump()

    # -- while another process has taken the port ------------------------------------------------

    def call_id_of(self, call_sid: str) -> str:
        """Our id of a live call by Twilio's; "" if it has none."""
        return next((call.call_id for call in self.calls() if call.call_sid == call_sid), "")

    def has_call(self, call_sid: str) -> bool:
        """Whether this process has this telephone call, or had its stream a moment ago."""
        return self._answering.knows(call_sid)

    async def let_go(self, form: Mapping[str, str], run_number: int) -> bool:
        """The stream of this run has ended, and the process that follows this one is asked what next.

        Returns:
            Whether it may answer by the journal, which has all that is known here; else we answer.
        """
        call_sid = form.get("CallSid", "")
        if self.transfers.has_left(call_sid, run_number):
            return False
        if self._resumption is None:
            return not self.has_call(call_sid)
        return await self._resumption.let_go(form, run_number)

    # -- state ------------------------------------------------------------------------------

    @property
    def agent(self) -> AgentChoice:
        """The agent that answers, or the function that chooses it."""
        return self.agents.agent

    @property
    def live_calls(self) -> int:
        """Calls born and not yet recorded."""
        return len(self._calls)

    def calls(self) -> list[Call]:
        """The live calls."""
        return self._calls.all()

    @property
    def calls_by_id(self) -> Mapping[str, Call]:
        """The live calls by their ids; always as they are now."""
        return self._calls.by_id

    @property
    def observers(self) -> list[OnNote]:
        """Functions that receive what happens in calls, within their step."""
        return self._calls.observers

    @property
    def on_end(self) -> list[Callable[[Call], None]]:
        """Functions that receive each call once it has its record."""
        return self._calls.on_end

    @property
    def faults(self) -> Faults:
        """What failed of that which serves all calls, and was contained."""
        return self._calls.faults

    @property
    def draining(self) -> bool:
        """Whether the phone stops: no new call is taken."""
        return self.admission.draining

    def ready(self) -> list[str]:
        """Why new calls would not be taken; empty when they are."""
        lists = self.dialler.lists.trouble if self.dialler is not None else ""
        refused = {
            f"agent {name}": f"its settings are refused, {why}"
            for name, why in self.endpoints.first.refused.items()
        }
        reasons = self.admission.reasons()
        if self.admission.leaving and DRAINING not in reasons:
            reasons.insert(0, DRAINING)
        whose = {**self.endpoints.troubles, "no outbound calls": lists, **refused}
        return reasons + [f"{name}: {why}" for name, why in whose.items() if why]

    async def wait_until_empty(self) -> None:
        """Wait until no call lives, and no tool still runs after its call."""
        await self._calls.wait_until_empty()

    async def drain(self, limit_s: float | None = None) -> None:
        """Take no new call, let live ones (born ones included) end, then end the rest.

        Args:
            limit_s: how long to wait, in seconds; None: ``drain.limit_s``.
        """
        need(limit_s, (int, float, type(None)), "drain: limit_s", "seconds")
        limit_s = self.config.drain.limit_s if limit_s is None else limit_s
        awaited = None if self._runs.resumes else self.transfers.awaited
        await drain(self._calls, self.admission, self.warm, self.config, limit_s, awaited=awaited)
