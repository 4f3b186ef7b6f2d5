"""A call as its owner, its tools and its hooks see it."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import trio

from llcphone.call import node_names
from llcphone.call.tool_results import shown
from llcphone.engine.events import (
    EndAsked,
    EndpointsDown,
    EndReason,
    HangUpAsked,
    Instructed,
    InterruptAsked,
    ResponseAsked,
    ResultTold,
    TurnCleared,
    TurnCommitted,
)
from llcphone.engine.resumed import Speaker
from llcphone.errors import ConfigError
from llcphone.runtime.containment import contained
from llcphone.tools.call_handle import CallHandle
from llcphone.twilio.forms import direction_of
from llcphone.validation.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from llcphone.call.approvals import Approvals
    from llcphone.call.record import CallRecord
    from llcphone.call.run import CallRun
    from llcphone.tools.call_handle import Outcome


_LONGEST_STATE = 65_536
_SPENT = "llcphone.spent_usd"
"""What the call has cost so far, beside the user's own keys."""


class Switchboard(Protocol):
    """What a call asks of the phone when its caller is to go elsewhere: a transfer outlives the call's run.

    Each method raises ConfigError when a setting that it needs is missing.
    """

    def transfer(
        self, call: Call, name: str, *, summary: str, warm: bool | None, announce: bool
    ) -> Outcome: ...
    def voicemail(self, call: Call) -> Outcome: ...
    async def send_sms(self, call: Call, to: str, text: str) -> Outcome: ...
    def send_digits(self, call: Call, digits: str) -> None: ...


class Call(CallHandle):
    """One run of a call, inbound or outbound; awaiting it waits for its record.

    Beside those of `CallHandle` it has these attributes.

    Attributes:
        born_at: Unix time at which this run began.
        first_born_at: Unix time at which the first run of the call began.
        lasted_s: how long the older runs lasted, by a monotonic clock.
        spent_usd: what the older runs cost.
        context: what the call is about; the last part of the prompt.
        store: the phone's store, if it has one; ``llcphone.store.store_of(call)`` gives it typed.
        ring_timeout_s: how long it may ring; None: ``outbound.ring_timeout_s``.
        first_digits: keys that Twilio presses as soon as somebody answers.
        node: ``server.node`` of the process that has this run; its ids and tokens begin with it.
        run_number: how often the call was resumed before this run; 0 for a new call.
        resumed_from: the ``call_id`` of the run before; empty for a new call.
        record: the record, once the run has ended.
    """

    def __init__(self, *, call_sid: str = "", caller: str, dialled: str, direction: str, node: str) -> None:
        self.node = node
        self.call_id = node_names.call_id(node, secrets.token_hex(8))
        self.call_sid = call_sid
        self.caller = caller
        self.dialled = dialled
        self.direction = direction
        self.attestation = ""
        self.born_at = self.first_born_at = time.time()
        self.lasted_s = self.spent_usd = 0.0
        self._born_s = time.monotonic()
        self.state: dict[str, Any] = {}
        self.context = ""
        self.store: Any = None
        self.ring_timeout_s: int | None = None
        self.first_digits = ""
        self.token = node_names.token(node, secrets.token_urlsafe(24))
        self.status_token = node_names.token(node, secrets.token_urlsafe(24))
        self.twiml = ""
        self.run_number = 0
        self.resumed_from = ""
        self.record: CallRecord | None = None
        self._ended = trio.Event()
        self._run: CallRun | None = None
        self._switchboard: Switchboard | None = None

    @classmethod
    def of_webhook(cls, form: Mapping[str, str], node: str) -> Call:
        """The call that a voice webhook of this node reports, inbound or outbound."""
        call = cls(
            call_sid=form.get("CallSid", ""),
            caller=form.get("From", ""),
            dialled=form.get("To", ""),
            direction=direction_of(form),
            node=node,
        )
        call.attestation = attestation_of(form.get("StirVerstat", ""))
        return call

    def following(self) -> Call:
        """The next run of the same telephone call; it has not begun."""
        call = Call(
            call_sid=self.call_sid,
            caller=self.caller,
            dialled=self.dialled,
            direction=self.direction,
            node=self.node,
        )
        call.attestation, call.first_born_at = self.attestation, self.first_born_at
        call.lasted_s = self.lasted_s + time.monotonic() - self._born_s
        call.spent_usd = self.spent_usd if self._run is None else self._run.status.call_usd
        call.run_number, call.resumed_from, call.state = self.run_number + 1, self.call_id, self.state
        return call

    def hang_up(self) -> None:
        self.run.step(HangUpAsked())

    def endpoints_down(self, numbers: tuple[int, ...]) -> None:
        """These endpoints of the model give no sessions; the others do."""
        self.run.step(EndpointsDown(numbers))

    def inform(self, text: str) -> None:
        self.run.step(Instructed(clean_text(text), speak=False))

    def say(self, text: str) -> None:
        cue = self.run.config.company.sentence("say").format(words=clean_text(text))
        self.run.step(Instructed(cue, speak=True))

    def commit_turn(self, *, respond: bool = True) -> None:
        if not self.run.setup.manual_turns:
            raise ConfigError(
                "realtime.turn_detection", "commit_turn works with manual turns only", 'set it to "none"'
            )
        self.run.step(TurnCommitted(respond))

    def clear_turn(self) -> None:
        self.run.step(TurnCleared())

    def interrupt(self) -> None:
        self.run.step(InterruptAsked())

    def respond(self) -> None:
        self.run.step(ResponseAsked())

    async def transfer(self, name: str, *, summary: str = "", warm: bool | None = None) -> Outcome:
        await trio.lowlevel.checkpoint()
        return self._transfers.transfer(self, name, summary=summary, warm=warm, announce=False)

    def put_through(self, name: str, *, summary: str = "", warm: bool | None = None) -> Outcome:
        """As ``transfer``, for a person beside the call: the agent first tells the caller about it.

        It begins in the next quiet moment, so also if the caller speaks now.
        """
        return self._transfers.transfer(self, name, summary=summary, warm=warm, announce=True)

    def voicemail(self) -> Outcome:
        return self._transfers.voicemail(self)

    async def send_sms(self, to: str, text: str) -> Outcome:
        return await self._transfers.send_sms(self, to, text)

    def send_digits(self, digits: str) -> None:
        self._transfers.send_digits(self, digits)

    @property
    def _transfers(self) -> Switchboard:
        if self._switchboard is None:
            raise ConfigError(
                "transfers", "is not available in this call: it has no phone", "use open_phone or serve"
            )
        return self._switchboard

    def tell(self, tool: str, arguments: Mapping[str, Any], result: Any) -> None:
        if tool not in self.run.agent.tools:
            raise ConfigError(f"tool {tool}", "the agent has no such tool", "name one of the agent's tools")
        self.run.step(ResultTold(tool, shown(dict(arguments)).text, shown(result).text))

    @property
    def caller_turns(self) -> int:
        return sum(line.speaker is Speaker.CALLER for line in self.run.lines())

    def dismiss(self) -> None:
        """As ``hang_up``, for a person beside the call: a caller who speaks now gets one more answer only."""
        self.run.step(HangUpAsked(insist=True))

    def end(self, reason: EndReason = EndReason.CANCELLED) -> None:
        """End the call now."""
        self.run.step(EndAsked(reason))

    @property
    def approvals(self) -> Approvals:
        """Tool calls that wait for a person's approval."""
        return self.run.approvals

    async def wait(self) -> CallRecord:
        """Wait for the call's end; returns its record."""
        await self._ended.wait()
        assert self.record is not None
        return self.record

    def __await__(self) -> Generator[Any, Any, CallRecord]:
        return self.wait().__await__()

    @property
    def run(self) -> CallRun:
        """The call's tasks and sockets, for its owner."""
        assert self._run is not None
        return self._run

    def begin(self, run: CallRun, switchboard: Switchboard | None = None) -> None:
        """The phone gives the call what runs it, and what transfers its caller; None: no transfers."""
        self._run, self._switchboard = run, switchboard

    def finish(self, record: CallRecord) -> None:
        """The phone has the call's record."""
        self.record = record
        self._ended.set()


def attestation_of(verstat: str) -> str:
    """The letter of a ``StirVerstat`` that has passed; empty for a diverted call, which says nothing."""
    letter = verstat.removeprefix("TN-Validation-Passed-")
    return letter if letter in {"A", "B", "C"} and letter != verstat else ""


def state_of(call: Call) -> str:
    """A call's state, if it is plain data of reasonable size; its cost in any case."""
    spent_usd = call.run.status.call_usd
    spent = {_SPENT: spent_usd} if spent_usd else {}
    return _as_json({**call.state, **spent}) or _as_json(spent)


def state_and_cost(text: str) -> tuple[dict[str, Any], float]:
    """The state, and what the call has cost."""
    state = msgspec.json.decode(text) if text else {}
    if not isinstance(state, dict):
        return {}, 0.0
    spent_usd = state.pop(_SPENT, 0.0)
    return state, float(spent_usd) if isinstance(spent_usd, int | float) else 0.0


def _as_json(state: dict[str, Any]) -> str:
    with contained():  # anything may be in it
        text = msgspec.json.encode(state)
        return text.decode() if 2 < len(text) <= _LONGEST_STATE else ""
    return ""
