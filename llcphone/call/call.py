"""A call as its owner, its tools and its hooks see it."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

import trio

from llcphone.call.tool_results import shown
from llcphone.engine.events import (
    EndReason,
    InterruptAsked,
    ResponseAsked,
    ResultTold,
    TurnCleared,
    TurnCommitted,
)
from llcphone.engine.resumed import Speaker
from llcphone.errors import ConfigError
from llcphone.twilio.forms import direction_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from llcphone.call.approvals import Approvals
    from llcphone.call.leaving import Switchboard
    from llcphone.call.record import CallRecord
    from llcphone.call.run import CallRun
    from llcphone.tools.outcome import Outcome


class Call:
    """One call, inbound or outbound; awaiting it waits for its record.

    Attributes:
        call_id: our own id, safe to log.
        call_sid: Twilio's id; empty until Twilio has told it.
        caller: the number that rings, as Twilio gives it; our own for outbound calls.
        dialled: the number that is rung.
        direction: ``inbound`` or ``outbound``.
        attestation: how far carriers vouch for the caller's number: ``A`` (it is theirs), ``B``, ``C``;
            empty: not at all.
        born_at: Unix time of its birth.
        first_born_at: Unix time of the birth of its first run.
        lasted_s: how long older runs of it have lasted, by a clock that nobody sets.
        spent_usd: what these have cost.
        state: the user's own scratch space.
        context: what it is about, as the prompt says it last.
        store: the phone's store, if it has one; ``llcphone.store.store_of(call)`` gives it typed.
        ring_timeout_s: how long it may ring; None: ``outbound.ring_timeout_s``.
        first_digits: keys that Twilio presses as soon as somebody answers.
        generation: how often it was resumed by another run (see ``journaling``); 0 for a new call.
        resumed_from: the ``call_id`` of the run before; empty for a new call.
        record: what is kept of it, once it has ended.
    """

    def __init__(self, *, call_sid: str = "", caller: str, dialled: str, direction: str) -> None:
        self.call_id = secrets.token_hex(8)
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
        self.token = secrets.token_urlsafe(24)
        self.status_token = secrets.token_urlsafe(24)
        self.twiml = ""
        self.generation = 0
        self.resumed_from = ""
        self.record: CallRecord | None = None
        self._ended = trio.Event()
        self._run: CallRun | None = None

    @classmethod
    def of_webhook(cls, form: Mapping[str, str]) -> Call:
        """The call that a voice webhook tells of, whoever rang whom."""
        call = cls(
            call_sid=form.get("CallSid", ""),
            caller=form.get("From", ""),
            dialled=form.get("To", ""),
            direction=direction_of(form),
        )
        call.attestation = attestation_of(form.get("StirVerstat", ""))
        return call

    def following(self) -> Call:
        """The next run of the same telephone call, which has not begun."""
        call = Call(
            call_sid=self.call_sid, caller=self.caller, dialled=self.dialled, direction=self.direction
        )
        call.attestation, call.first_born_at = self.attestation, self.first_born_at
        call.lasted_s = self.lasted_s + time.monotonic() - self._born_s
        call.spent_usd = self.spent_usd if self._run is None else self._run.status.call_usd
        call.generation, call.resumed_from, call.state = self.generation + 1, self.call_id, self.state
        return call

    def identity(self, agent: str) -> dict[str, str]:
        """What its record calls it."""
        return {
            "call_id": self.call_id,
            "call_sid": self.call_sid,
            "direction": self.direction,
            "agent": agent,
        }

    def hang_up(self) -> None:
        """End the call once the agent's last word was heard."""
        self.run.hang_up()

    def commit_turn(self, *, respond: bool = True) -> None:
        """Manual turns: the caller is done; the agent falls silent if it speaks, and answers.

        Less than 100 ms of audio since the last turn is no turn, and nothing happens.

        Args:
            respond: False: ``respond()`` says later that the agent may answer.

        Raises:
            ConfigError: ``realtime.turn_detection`` is not ``none``: the server ends the turns.
        """
        if not self.run.setup.manual_turns:
            raise ConfigError("realtime.turn_detection", 'must be "none" for commit_turn')
        self.run.step(TurnCommitted(respond))

    def clear_turn(self) -> None:
        """Forget what the caller said since the last turn: it is no part of the next one."""
        self.run.step(TurnCleared())

    def interrupt(self) -> None:
        """Let the agent fall silent now, as if the caller had barged in."""
        self.run.step(InterruptAsked())

    def respond(self) -> None:
        """Let the agent speak as soon as it may: to a turn not answered yet, or of itself."""
        self.run.step(ResponseAsked())

    async def transfer(self, name: str, *, summary: str = "", warm: bool | None = None) -> Outcome:
        """Send the caller to a destination of ``[transfers]`` once the agent's last word was heard.

        Returns when it is decided, so that the agent can say good-bye. If the caller speaks before the
        good-bye is over, the transfer does not begin, and the model is told that it must ask again.

        Args:
            name: the destination's.
            summary: what the call is about: for the colleague's ear, and text message, if so configured.
            warm: whether the agent speaks to the colleague first; None: as the destination says.

        Raises:
            ConfigError: there are no destinations, or a warm transfer has no Twilio account to dial with.
        """
        return await self._switchboard.transfer(self, name, summary=summary, warm=warm)

    def voicemail(self) -> Outcome:
        """Let the caller leave a message once the agent's last word was heard.

        Raises:
            ConfigError: ``transfers.voicemail`` is off.
        """
        return self._switchboard.voicemail(self)

    async def send_sms(self, to: str, text: str) -> Outcome:
        """Send a text message, and wait until Twilio has taken it.

        Args:
            to: ``"caller"`` (the person on the line) or the name of a destination.
            text: at most 1,600 characters.

        Raises:
            ConfigError: there is no Twilio account, or no number of ours to send from.
        """
        return await self._switchboard.send_sms(self, to, text)

    def send_digits(self, digits: str) -> None:
        """Press keys: ``0123456789*#``; ``w`` waits half a second, ``W`` a second.

        Raises:
            ValueError: it has other characters, or more than 32.
        """
        self._switchboard.send_digits(self, digits)

    @property
    def _switchboard(self) -> Switchboard:
        switchboard = self.run.switchboard
        if switchboard is None:
            raise ConfigError("transfers", "is not available in this call: it has no phone")
        return switchboard

    def tell(self, tool: str, arguments: Mapping[str, Any], result: Any) -> None:
        """Let the model know a tool's result that it has not asked for; nobody speaks because of it.

        Args:
            tool: one of the agent's tools, whose result it could be.
            arguments: what the tool would have been given.
            result: as a tool returns it; told as that would be, cut where it is too long.

        Raises:
            ConfigError: the agent has no such tool.
        """
        if tool not in self.run.agent.tools:
            raise ConfigError(f"tool {tool}", "the agent has no such tool. Tell a result of one that it has")
        self.run.step(ResultTold(tool, shown(dict(arguments)).text, shown(result).text))

    @property
    def caller_turns(self) -> int:
        """How often the caller has spoken so far."""
        return sum(line.speaker is Speaker.CALLER for line in self.run.lines())

    def end(self, reason: EndReason = EndReason.CANCELLED) -> None:
        """End the call now."""
        self.run.end(reason)

    @property
    def approvals(self) -> Approvals:
        """Tool calls that wait for a person's word."""
        return self.run.tools.approvals

    async def wait(self) -> CallRecord:
        """Wait for the call's end; returns its record."""
        await self._ended.wait()
        assert self.record is not None
        return self.record

    def __await__(self) -> Generator[Any, Any, CallRecord]:
        return self.wait().__await__()

    @property
    def run(self) -> CallRun:
        """The call's nursery and engine."""
        assert self._run is not None
        return self._run

    def begin(self, run: CallRun) -> None:
        """The phone has made the call's nursery."""
        self._run = run

    def finish(self, record: CallRecord) -> None:
        """The phone has the call's record."""
        self.record = record
        self._ended.set()


def attestation_of(verstat: str) -> str:
    """The letter of a ``StirVerstat`` that has passed; a diverted call's says nothing of who rings here."""
    letter = verstat.removeprefix("TN-Validation-Passed-")
    return letter if letter in {"A", "B", "C"} and letter != verstat else ""
