"""Warm transfers: while the caller hears music, the agent speaks to the colleague.

The caller waits in a conference that begins when the colleague enters it. The colleague is rung as any call
of ours, with an agent of its own that has two tools. ``take_call``: it says so, leaves, and Twilio joins the
colleague to the room. ``refuse_call``, or any other end (busy, no answer, a machine, no model): the caller is
fetched out of the room by REST, and is back with their agent.

What the briefing must know is in its call's ``state``, which the journal keeps, so another process can
continue it. A caller who hangs up on hold ends the briefing.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.agent import Agent
from llcphone.call.call import Call
from llcphone.carrier.orders import CarrierError
from llcphone.engine.events import EndReason
from llcphone.errors import LLCPhoneError
from llcphone.phone.transfers.transfer import BRIEFING, Transfer, Way
from llcphone.runtime.log_lines import logger
from llcphone.tools.call_handle import CallHandle  # noqa: TC001  (tools are read by their annotations)
from llcphone.twilio import twiml_transfer
from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from llcphone.config import Config
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.runs import CallRuns
    from llcphone.phone.transfers.registry import TransferRegistry
    from llcphone.phone.transfers.transfer import CarrierFor
    from llcphone.twilio.twiml import Speech

log = logger("llcphone.transfers")

_NAME = "briefing "
_REMEMBERED = 2_000
_AGAIN_AFTER_S = (3.0, 10.0, 20.0, 30.0, 0.0)
"""Pauses after requests that failed, each with repetitions of its own, while a caller is on hold."""
_WHY = {
    EndReason.BUSY: "busy",
    EndReason.NO_ANSWER: "no-answer",
    EndReason.MACHINE: "machine",
    EndReason.AGENT_HUNG_UP: "declined",
    EndReason.CALLER_HUNG_UP: "declined",
    EndReason.IDLE: "declined",
}
"""What the end of a briefing means; any other is a failure."""


@attrs.define(eq=False)
class WarmTransfers:
    """The warm transfers of one phone."""

    _config: Config
    _registry: TransferRegistry
    _calls: LiveCalls
    _runs: CallRuns
    _carrier_for: CarrierFor
    _speech: Speech
    _journal: bool = attrs.field(kw_only=True)
    """Whether another process can continue a briefing."""
    _agents: dict[str, Agent] = attrs.field(factory=dict, init=False)
    _over: BoundedDict[str, None] = attrs.field(factory=lambda: BoundedDict(_REMEMBERED), init=False)
    """CallSids of colleagues whose caller was taken back."""

    # -- the caller is on hold -------------------------------------------------------------------

    def begin(self, transfer: Transfer) -> str:
        """Ring the colleague, and let the caller wait; empty: no colleague can be dialled."""
        destination = self._config.transfers.destination(transfer.to)
        if destination is None:
            return ""
        transfer.room = transfer.room or f"llcphone-{secrets.token_hex(8)}"
        call = Call(
            caller=destination.caller_id or next(iter(self._config.own_numbers), ""),
            dialled=destination.number,
            direction="outbound",
            node=self._config.server.node,
        )
        call.ring_timeout_s = destination.timeout_s
        call.state[BRIEFING] = {
            "call_sid": transfer.call.call_sid,
            "run_number": transfer.call.run_number,
            "to": transfer.to,
            "token": transfer.token,
            "room": transfer.room,
        }
        company = self._config.company
        summary = transfer.summary or company.sentence("briefing_unknown")
        context = company.sentence("briefing_caller").format(summary=summary)
        try:
            dialler = self._runs.need_dialler()
            agent = self.agent(transfer.to)
            self._runs.begin(call, agent, dialler=dialler, context=context, trusted=True)
        except LLCPhoneError as exc:
            log.warning("no colleague to dial for a warm transfer", extra={"error": type(exc).__name__})
            return ""
        transfer.briefing = call
        music, events = self._config.transfers.hold_music, self._registry.url(transfer, "room")
        action = self._registry.url(transfer, "done")
        return twiml_transfer.conference(
            transfer.room, action=action, who="caller", events=events, music=music
        )

    def caller_gone(self, transfer: Transfer) -> None:
        """The caller has hung up: stop dialling and briefing a colleague for them."""
        if transfer.gone:
            return
        transfer.gone = True
        transfer.kept = None  # the caller does not come back
        if transfer.briefing is not None and not transfer.briefing.run.over:
            transfer.briefing.end()

    # -- the colleague ---------------------------------------------------------------------------

    def agent(self, name: str) -> Agent:
        """The agent that speaks to the colleague at this destination."""
        if name not in self._agents:
            self._agents[name] = self._make_agent(name)
        return self._agents[name]

    def agent_named(self, name: str) -> Agent | None:
        """The agent of a briefing that is resumed, by what the journal calls it."""
        to = name.removeprefix(_NAME)
        known = name.startswith(_NAME) and self._config.transfers.destination(to) is not None
        return self.agent(to) if known else None

    def _make_agent(self, name: str) -> Agent:
        cue = self._config.company.sentence("briefing_cue")
        agent = Agent(
            self._config.transfers.briefing, name=f"{_NAME}{name}", opening="greet", greeting_cue=cue
        )

        @agent.tool(lean=True)
        async def take_call(call: CallHandle) -> str:
            "The colleague takes the call."
            return self._take(call)

        @agent.tool(lean=True)
        async def refuse_call(call: CallHandle, reason: str = "") -> str:
            """The colleague does not take the call, or a machine answered.

            Args:
                reason: what the caller is to hear.
            """
            call.state[BRIEFING] = {**call.state[BRIEFING], "refused": reason[:500]}
            call.hang_up()
            return "Say good-bye in two words."

        return agent

    def _take(self, call: Any) -> str:
        transfer = Transfer(call, Way.JOIN, call.state[BRIEFING]["to"], room=call.state[BRIEFING]["room"])
        if not self._registry.request(transfer):
            return "The call is over."
        return "Say in three words that you put the caller through; it happens when you have finished."

    def join(self, transfer: Transfer) -> str:
        """The briefing is over: the colleague enters the room."""
        caller = self._registry.known(transfer.call.state[BRIEFING]["token"])
        if caller is not None:
            if caller.gone:
                message = self._config.transfers.caller_gone_message
                return twiml_transfer.say_and_hang_up(message, self._speech)
            caller.joining = True
        return twiml_transfer.conference(
            transfer.room, action=self._registry.url(transfer, "left"), who="colleague"
        )

    def alone(self, call_sid: str) -> None:
        """A colleague has entered a room that the caller had left."""
        self._calls.start_task(self._hang_up, call_sid, name="hang up")

    # -- no colleague accepts --------------------------------------------------------------------

    def ended(self, call: Call) -> None:
        """A run has its record; was it a briefing that came to nothing?"""
        data, record = call.state.get(BRIEFING), call.record
        if data is None or record is None or self._registry.leaves(call):
            return
        if record.reason is EndReason.DRAINED and self._journal:
            return  # the next process continues it
        self._over[call.call_sid] = None
        transfer = self._registry.known(data["token"])
        if transfer is not None and transfer.joining:
            return
        self._fetch(data, _WHY.get(record.reason, "failed"))

    def never_came(self, transfer: Transfer) -> None:
        """A colleague who took the call hung up before Twilio had put them into the room."""
        self._fetch(transfer.call.state[BRIEFING], "declined")

    def left(self, transfer: Transfer) -> None:
        """A colleague's place in the room has ended: were they ever in it?"""
        caller = self._registry.known(transfer.call.state[BRIEFING]["token"])
        if caller is not None and not caller.joined:
            self._fetch(transfer.call.state[BRIEFING], "declined")

    def _fetch(self, data: dict[str, Any], why: str) -> None:
        """Fetch the caller out of the room, unless they have left it."""
        transfer = self._registry.known(data["token"])
        if transfer is not None:
            if transfer.gone or transfer.joined or transfer.returning:
                return
            transfer.refused, transfer.returning, transfer.joining = data.get("refused", ""), True, False
        self._calls.start_task(self._bring_back, data, why, name="bring the caller back")

    def taken_back(self, call_sid: str) -> bool:
        """Whether this colleague's caller is no longer on hold."""
        return call_sid in self._over

    async def _bring_back(self, data: dict[str, Any], why: str) -> None:
        transfer = self._registry.known(data["token"])
        url = f"{self._registry.address(data['token'], data['run_number'], data['to'])}/back?why={why}"
        carrier = self._carrier_for("a warm transfer")

        def wanted() -> bool:
            return transfer is None or (transfer.back is None and not transfer.gone)

        for pause_s in _AGAIN_AFTER_S:
            try:
                on_hold = await carrier.redirect(data["call_sid"], url, wanted)
                break
            except CarrierError as exc:
                fields = {"call_sid": data["call_sid"], "code": exc.code}
                log.error("a caller on hold cannot be fetched back", extra=fields)
            await trio.sleep(pause_s)
        else:
            return  # their own patience ends it
        if not on_hold:
            log.info("the caller on hold has hung up", extra={"call_sid": data["call_sid"]})
            if transfer is not None:
                self.caller_gone(transfer)
        elif transfer is not None:
            self._registry.expect(transfer)

    async def _hang_up(self, call_sid: str) -> None:
        try:
            await self._carrier_for("a warm transfer").hang_up(call_sid)
        except CarrierError as exc:
            log.error("a call could not be hung up", extra={"code": exc.code, "call_sid": call_sid})
