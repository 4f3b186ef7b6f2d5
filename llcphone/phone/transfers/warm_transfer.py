"""Warm transfers: while the caller hears music, the agent speaks to the colleague.

The caller waits in a conference that begins when the colleague enters it. The colleague is rung as any call
of ours, with an agent of its own that has two tools. ``take_call``: it says so, leaves, and Twilio joins the
colleague to the room. ``refuse_call``, or any other end (busy, no answer, a machine, no model): the caller is
 fetched out of the room by REST, and is back with their agent.

What the briefing must know stands in its call's ``state``, which the journal keeps: another process can go on
with it. Who hangs up on hold ends the briefing.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import trio

from llcphone.agent import Agent
from llcphone.call.call import Call
from llcphone.carrier.orders import CarrierError
from llcphone.engine.events import EndReason
from llcphone.errors import LLCPhoneError
from llcphone.phone.transfers.transfer import Transfer, Way
from llcphone.runtime.log_lines import logger
from llcphone.tools.call_handle import CallHandle  # noqa: TC001  (tools are read by their annotations)
from llcphone.twilio import twiml_transfer

if TYPE_CHECKING:
    from llcphone.phone.transfers.transfers import Transfers

log = logger("llcphone.transfers")

_KEY = "llcphone.transfer"
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


class WarmTransfers:
    """The warm transfers of one phone."""

    def __init__(self, desk: Transfers) -> None:
        self._desk = desk
        self._agents: dict[str, Agent] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        """CallSids of colleagues whose caller was taken back."""

    # -- the caller is on hold -------------------------------------------------------------------

    def begin(self, away: Transfer) -> str:
        """Ring the colleague, and let the caller wait; empty: nobody can be rung."""
        phone, destination = self._desk.phone, self._desk.config.destination(away.to)
        if destination is None:
            return ""
        away.room = away.room or f"llcphone-{secrets.token_hex(8)}"
        call = Call(
            caller=destination.caller_id or next(iter(phone.config.own_numbers), ""),
            dialled=destination.number,
            direction="outbound",
        )
        call.ring_timeout_s = destination.timeout_s
        call.state[_KEY] = {
            "call_sid": away.call.call_sid,
            "generation": away.call.generation,
            "to": away.to,
            "token": away.token,
            "room": away.room,
        }
        company = phone.config.company
        summary = away.summary or company.sentence("briefing_unknown")
        context = company.sentence("briefing_caller").format(summary=summary)
        try:
            phone.ring_colleague(call, self.agent(away.to), context)
        except LLCPhoneError as exc:
            log.warning("nobody can be rung for a warm transfer", extra={"error": type(exc).__name__})
            return ""
        away.briefing = call
        music, events = self._desk.config.hold_music, self._desk.url(away, "room")
        action = self._desk.url(away, "done")
        return twiml_transfer.conference(away.room, action=action, who="caller", events=events, music=music)

    def caller_gone(self, away: Transfer) -> None:
        """The caller hung up on hold: nobody needs to be briefed."""
        if away.briefing is not None and not away.briefing.run.over:
            away.briefing.end()

    # -- the colleague ---------------------------------------------------------------------------

    def agent(self, name: str) -> Agent:
        """Who speaks to the colleague at this destination."""
        if name not in self._agents:
            self._agents[name] = self._make_agent(name)
        return self._agents[name]

    def agent_named(self, name: str) -> Agent | None:
        """The agent of a briefing that is resumed, by what the journal calls it."""
        to = name.removeprefix(_NAME)
        known = name.startswith(_NAME) and self._desk.config.destination(to) is not None
        return self.agent(to) if known else None

    def _make_agent(self, name: str) -> Agent:
        cue = self._desk.phone.config.company.sentence("briefing_cue")
        agent = Agent(self._desk.config.briefing, name=f"{_NAME}{name}", opening="greet", greeting_cue=cue)

        @agent.tool(lean=True)
        async def take_call(call: CallHandle) -> str:
            "The colleague takes the call."
            return self._take(call)

        @agent.tool(lean=True)
        async def refuse_call(call: CallHandle, reason: str = "") -> str:
            """The colleague does not take the call, or a machine answered.

            Args:
                reason: what the caller is to be told.
            """
            call.state[_KEY] = {**call.state[_KEY], "refused": reason[:500]}
            call.hang_up()
            return "Say good-bye in two words."

        return agent

    def _take(self, call: Any) -> str:
        away = Transfer(call, Way.JOIN, call.state[_KEY]["to"], room=call.state[_KEY]["room"])
        if not self._desk.want(away):
            return "The call is over."
        return "Say in three words that you put the caller through; it happens when you have finished."

    def join(self, away: Transfer) -> str:
        """The briefing is over: the colleague enters the room."""
        caller = self._desk.known(away.call.state[_KEY]["token"])
        if caller is not None:
            if caller.gone:
                return self._desk.answers.too_late()
            caller.joining = True
        return twiml_transfer.conference(away.room, action=self._desk.url(away, "left"), who="colleague")

    def alone(self, call_sid: str) -> None:
        """A colleague has entered a room that the caller had left."""
        self._desk.phone.start_task(self._hang_up, call_sid, name="hang up")

    # -- nobody takes the call -------------------------------------------------------------------

    def is_briefing(self, call: Call) -> bool:
        """Whether the other side is a colleague."""
        return _KEY in call.state

    def ended(self, call: Call) -> None:
        """A run has its record; was it a briefing that came to nothing?"""
        data, record = call.state.get(_KEY), call.record
        if data is None or record is None or self._desk.leaves(call):
            return
        if record.reason is EndReason.DRAINED and self._desk.phone.resumption is not None:
            return  # whoever comes next goes on with it
        self._over[call.call_sid] = None
        while len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)
        away = self._desk.known(data["token"])
        if away is not None and away.joining:
            return
        self._fetch(data, _WHY.get(record.reason, "failed"))

    def never_came(self, away: Transfer) -> None:
        """A colleague who took the call hung up before Twilio had put them into the room."""
        self._fetch(away.call.state[_KEY], "declined")

    def left(self, away: Transfer) -> None:
        """A colleague's place in the room has ended: were they ever in it?"""
        caller = self._desk.known(away.call.state[_KEY]["token"])
        if caller is not None and not caller.joined:
            self._fetch(away.call.state[_KEY], "declined")

    def _fetch(self, data: dict[str, Any], why: str) -> None:
        """Fetch the caller out of the room, unless they have left it."""
        away = self._desk.known(data["token"])
        if away is not None:
            if away.gone or away.joined or away.returning:
                return
            away.refused, away.returning, away.joining = data.get("refused", ""), True, False
        self._desk.phone.start_task(self._bring_back, data, why, name="bring the caller back")

    def taken_back(self, call_sid: str) -> bool:
        """Whether this colleague's caller is no longer on hold."""
        return call_sid in self._over

    async def _bring_back(self, data: dict[str, Any], why: str) -> None:
        base = self._desk.phone.config.server.public_url
        away = self._desk.known(data["token"])
        url = f"{base}/transfer/{data['generation']}/{data['to']}/{data['token']}/back?why={why}"
        carrier = self._desk.carrier("a warm transfer")

        def wanted() -> bool:
            return away is None or (away.back is None and not away.gone)

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
            if away is not None:
                self._desk.answers.caller_gone(away)

    async def _hang_up(self, call_sid: str) -> None:
        try:
            await self._desk.carrier("a warm transfer").hang_up(call_sid)
        except CarrierError as exc:
            log.error("a call could not be hung up", extra={"code": exc.code, "call_sid": call_sid})
