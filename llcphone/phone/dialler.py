"""Placing calls: dial guard, carrier, and finding out what happened to a ``create``.

A dial task belongs to the phone, not to its call. If it were cancelled during the request, llcphone could not
know whether a telephone rings. So the task runs to its end within a time limit, and hangs up if its call is
over by then. A create that was neither accepted nor refused is searched at Twilio. If the call is found, it
is adopted or ended. So no number is dialled twice, and no call is lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from llcphone.call.setup import machine_message
from llcphone.carrier.grace import grace
from llcphone.carrier.orders import CarrierError, CreateRefused, CreateUnknown
from llcphone.carrier.rest import open_carrier
from llcphone.dial_guard.guard import DialGuard, DialRequest
from llcphone.engine.call_setup import DialPlan, MachinePolicy
from llcphone.engine.events import CarrierStatus, DialFailed, Dialled, DialSent, MachineDetected
from llcphone.engine.status import DialState
from llcphone.errors import DialRefused, StoreUnavailable
from llcphone.phone import do_not_call
from llcphone.phone.dial_order import dial_order
from llcphone.runtime.log_lines import logger
from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence

    from llcphone.call.call import Call
    from llcphone.carrier.orders import DialOrder
    from llcphone.carrier.rest import Carrier
    from llcphone.config import Config
    from llcphone.phone.all_nodes import AllNodes

log = logger("llcphone.dialler")

OfOthers = Callable[["Sequence[str]", str], "Awaitable[list[str]]"]
"""Which of these CallSids belong to another call than this call_id."""

_LOOK_AFTER_S = (1.0, 3.0, 6.0, 10.0, 20.0)
"""When to look for a call whose ``create`` did not answer; Twilio's list is not instantly complete."""

_GRACE_S = 3.0
"""How long a request that rings or stops a telephone may continue when everything around it is cancelled."""

_JOIN_MS = 20_000
"""From an answer to the media stream; it takes half a second, if it comes at all."""

_REMEMBERED = 2000
"""Ended calls whose late callbacks are still handled."""

_GOING_ON = frozenset({"queued", "initiated", "ringing", "in-progress"})
_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_ORDER = {"queued": 0, "initiated": 1, "ringing": 2, "in-progress": 3} | dict.fromkeys(_OVER, 9)
"""For a callback that comes without ``SequenceNumber``."""


class Dialler:
    """Rings people for a phone."""

    def __init__(
        self,
        config: Config,
        carrier: Carrier,
        start: Callable[..., None],
        all_nodes: AllNodes,
        of_others: OfOthers | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Take settings, carrier, what starts a task that outlives its call, and what asks databases."""
        self._config, self._wall_clock = config, wall_clock
        self._carrier = self.carrier = carrier
        self._start = start
        self._all_nodes = all_nodes
        self.guard = DialGuard(config, do_not_call.offset_s)
        self.lists = do_not_call.DialLists(config.outbound, self.guard)
        self._time_limit_s = round(config.call.max_duration_s) + 60
        """Of Twilio's, for each call."""
        self._message = machine_message(config)
        self._counted: set[str] = set()
        """Ids of live calls that count towards the limits."""
        self._of_others = of_others
        self._live: dict[str, Call] = {}
        self._ended: BoundedDict[str, str] = BoundedDict(_REMEMBERED)
        """Status tokens of ended calls, with the CallSid that was hung up, if any."""

    # -- admission --------------------------------------------------------------------------

    def admit(self, call: Call, *, trusted: bool = False) -> None:
        """Let this call be placed, or say why not; from now on it counts.

        A ``trusted`` number comes from our own settings: it is not checked and counts towards no limit.

        Raises:
            DialRefused: the guard refuses it; Twilio never hears of it.
        """
        if not trusted:
            request = DialRequest(to=call.dialled, from_=call.caller)
            self.check(request)
            self.guard.placed(call.call_id, request, _steady_ms())
            self._counted.add(call.call_id)
        self._live[call.status_token] = call

    async def reserve(self, call: Call) -> None:
        """Let this call be placed among all nodes; then it counts there, until `over`.

        Raises:
            DialRefused: a limit of all nodes is reached.
            StoreUnavailable: whether it is, is not known.
        """
        await self._all_nodes.reserve(call)

    def unreserve(self, call: Call) -> None:
        """That call is not placed after all."""
        self._all_nodes.over(call.call_id)

    def check(self, request: DialRequest) -> None:
        """Return if this call may be placed now, as far as this process knows.

        Raises:
            DialRefused: the guard refuses it.
        """
        self.guard.check(request, _steady_ms(), round(self._wall_clock() * 1000))

    async def admit_text(self, to: str, from_: str, sent: int) -> None:
        """Let a text message go to the person on the line after ``sent`` others of this call; now it counts.

        Raises:
            DialRefused: it may not be sent.
            StoreUnavailable: whether it may, is not known.
        """
        now_ms = _steady_ms()
        self.guard.check_text(to, from_, sent, now_ms)
        self.guard.texted(to, now_ms)
        await self._all_nodes.admit_text(to)

    def goes_on(self, call_sid: str) -> None:
        """A telephone call of ours outlives its run: it counts until Twilio says that it is over.

        Should that word be lost, Twilio's own time limit has ended it by then all the same.
        """
        self.guard.goes_on(call_sid, _steady_ms() + self._time_limit_s * 1000)
        self._all_nodes.goes_on(call_sid, self._time_limit_s)

    def freed(self, call_sid: str) -> None:
        """That call is over; one that is not known does no harm."""
        self.guard.ended(call_sid)
        self._all_nodes.freed(call_sid)

    def plan(self) -> DialPlan:
        """How the engine dials."""
        outbound = self._config.outbound
        return DialPlan(
            at_once=outbound.dial == "at_once",
            no_callback_ms=round(outbound.no_callback_limit_s * 1000),
            turn_ms=round(1000 * outbound.max_concurrent / outbound.calls_per_second),
            join_ms=_JOIN_MS + (outbound.amd_timeout_s * 1000 if outbound.amd == "sync" else 0),
            machine=MachinePolicy(outbound.machine),
            message_cue=self._config.company.sentence("machine_cue"),
            message=self._message,
            patience_ms=round(outbound.speak_first_after_s * 1000),
        )

    def over(self, call: Call, *, leave: bool = False) -> None:
        """The call has its record: hang up what still rings or talks; with ``leave`` another run goes on."""
        self.guard.ended(call.call_id)
        self._all_nodes.over(call.call_id)
        self._counted.discard(call.call_id)
        self._live.pop(call.status_token, None)
        self._ended[call.status_token] = ""
        dial = call.run.status.dial
        if leave and dial is not None and dial.state is DialState.ANSWERED:
            self._ended[call.status_token] = call.call_sid  # as if hung up: late callbacks change nothing
            self.goes_on(call.call_sid)
        elif dial is not None and call.call_sid and dial.state is not DialState.OVER:
            self._hang_up_once(call.status_token, call.call_sid)

    # -- dialling ---------------------------------------------------------------------------

    def dial(self, call: Call) -> None:
        """Obey the engine's ``Dial``."""
        self._start(self._dial, call, name=f"dial {call.call_id}")

    async def _dial(self, call: Call) -> None:
        if call.call_id in self._counted and (failure := await self._refused(call)):
            call.run.step(DialFailed(failure))
            return
        order = dial_order(self._config, call, self._time_limit_s)
        since = self._wall_clock()
        try:
            async with grace(_GRACE_S) as scope:
                await self._place(call, order, since, scope)
        finally:
            if scope.cancelled_caught:  # create has not answered, and the task that waited for it is gone
                await self._hang_up_unknown(call, order, since)

    async def _refused(self, call: Call) -> str:
        """Why a call may not be dialled, among all nodes; empty: it may."""
        try:
            await self.reserve(call)
        except DialRefused as exc:
            return f"limit of all nodes: {exc.code}"
        except StoreUnavailable:
            return "limits of all nodes unknown"
        if call.call_id not in self._counted:  # it has ended meanwhile
            self._all_nodes.over(call.call_id)
        return ""

    async def _place(self, call: Call, order: DialOrder, since: float, scope: trio.CancelScope) -> None:
        def go_ahead() -> bool:
            if call.run.over:
                return False
            # From here on a telephone may ring: a cancellation waits a little for the truth.
            scope.shield = True
            call.run.step(DialSent())
            return True

        try:
            call_sid = await self._carrier.dial(order, go_ahead, wanted=lambda: not call.run.over)
        except CreateRefused as exc:
            call.run.step(DialFailed(exc.code))
        except CreateUnknown:
            await self._look_for(call, order, since)
        else:
            self._found(call, call_sid)

    async def _hang_up_unknown(self, call: Call, order: DialOrder, since: float) -> None:
        """Look once, and end what is found."""
        with trio.move_on_after(_GRACE_S, shield=True):
            try:
                for call_sid in await self._not_of_others(call, await self._carrier.find(order, since)):
                    await self._carrier.hang_up(call_sid)
                return
            except CarrierError:
                pass
        log.error("a placed call may still be ringing", extra={"call": call.call_id})

    async def _not_of_others(self, call: Call, found: list[str]) -> list[str]:
        others = {live.call_sid for live in self._live.values() if live is not call}
        if self._of_others is not None:  # another process may have rung the same number
            others.update(await self._of_others(found, call.call_id))
        return [call_sid for call_sid in found if call_sid not in others]

    async def _look_for(self, call: Call, order: DialOrder, since: float) -> None:
        log.warning("create did not answer: looking for the call", extra={"call": call.call_id})
        for pause_s in _LOOK_AFTER_S:
            await trio.sleep(pause_s)
            if call.call_sid:  # a status callback was faster
                self._found(call, call.call_sid)
                return
            try:
                found = await self._carrier.find(order, since)
            except CarrierError as exc:
                log.warning("Twilio's list of calls cannot be read", extra={"code": exc.code})
                continue
            if ours := call.call_sid or "".join((await self._not_of_others(call, found))[:1]):
                self._found(call, call.call_sid or ours)
                return
        call.run.step(DialFailed("unknown"))

    def _found(self, call: Call, call_sid: str) -> None:
        call.call_sid = call.call_sid or call_sid
        if call.run.over:
            self._hang_up_once(call.status_token, call_sid)
        else:
            call.run.step(Dialled(call_sid))

    def _hang_up_once(self, token: str, call_sid: str) -> None:
        if self._ended.get(token) != call_sid:
            self._ended[token] = call_sid
            self._start(self._hang_up, token, call_sid, name="hang up")

    async def _hang_up(self, token: str, call_sid: str) -> None:
        async with grace(_GRACE_S, shield=True):  # a telephone must not ring on because we leave
            try:
                await self._carrier.hang_up(call_sid)
                return
            except CarrierError as exc:  # repeated and bounded already: Twilio's own limits end it
                log.error("a call could not be hung up", extra={"code": exc.code, "call_sid": call_sid})
        if token in self._ended:
            self._ended[token] = ""  # if its callbacks show that it continues, we try again

    # -- callbacks of Twilio ----------------------------------------------------------------

    def knows(self, token: str) -> bool:
        """Whether a callback's token is one of ours; the callbacks below ignore others."""
        return token in self._live or token in self._ended

    def status(self, token: str, form: Mapping[str, str]) -> None:
        """A status callback: any order, twice, late, or before ``create`` has answered."""
        call_sid, status = form.get("CallSid", ""), form.get("CallStatus", "")
        call = self._live.get(token)
        if call is None:
            if status in _OVER:
                self.freed(call_sid)
            if token in self._ended and status in _GOING_ON and call_sid:
                self._hang_up_once(token, call_sid)  # it rings although its call is over
            return
        call.call_sid = call.call_sid or call_sid
        sequence = form.get("SequenceNumber", "")
        number = int(sequence) if sequence.isdecimal() else _ORDER.get(status, 0)
        call.run.step(CarrierStatus(status, number, call_sid))

    def machine(self, token: str, form: Mapping[str, str]) -> None:
        """The verdict of machine detection."""
        if (call := self._live.get(token)) is not None:
            call.call_sid = call.call_sid or form.get("CallSid", "")
            call.run.step(MachineDetected(form.get("AnsweredBy", "unknown")))

    def answered(self, token: str, form: Mapping[str, str]) -> Call | None:
        """Twilio asks for an answered call's TwiML: with synchronous detection only. None: it is over."""
        call = self._live.get(token)
        if call is None:
            return None
        call.call_sid = call.call_sid or form.get("CallSid", "")
        if "AnsweredBy" in form:
            self.machine(token, form)
        return None if call.run.over else call


def _steady_ms() -> int:
    """A clock that cannot be set: a step of the wall clock neither frees the limits nor blocks them."""
    return round(trio.current_time() * 1000)


@asynccontextmanager
async def open_dialler(
    config: Config, start: Callable[..., None], all_nodes: AllNodes, of_others: OfOthers | None = None
) -> AsyncIterator[Dialler]:
    """A dialler with a carrier of its own; the arguments are the same."""
    pace = config.outbound.calls_per_second
    async with open_carrier(config, calls_per_second=pace, turn=all_nodes.turn) as carrier:
        yield Dialler(config, carrier, start, all_nodes, of_others)
