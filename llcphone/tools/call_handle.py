"""What a tool or hook gets of its call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Outcome:
    """What was decided, in time for the agent to say so; a tool may return it as it is."""

    ok: bool
    """It will happen once the agent's last word was heard."""
    says: str
    """What will happen, or why it will not: meant for the model."""


class CallHandle(Protocol):
    """What a tool or hook may know of its call, and do to it."""

    call_id: str
    """Our own id, safe to log."""
    call_sid: str
    """Twilio's id. Empty until Twilio has sent it."""
    caller: str
    """The number that calls, as Twilio gives it; may be ``anonymous``. Our own for outbound calls."""
    dialled: str
    """The number that was dialled."""
    direction: str
    """``inbound`` or ``outbound``."""
    attestation: str
    """How far carriers vouch for the caller's number: ``A`` (fully), ``B``, ``C``; empty: not at all."""
    state: dict[str, Any]
    """Scratch space for your own code, one per call."""

    @property
    def caller_turns(self) -> int:
        """How often the caller has spoken so far."""

    def tell(self, tool: str, arguments: Mapping[str, Any], result: Any) -> None:
        """Give the model a tool's result that it has not asked for. It does not speak because of it.

        Args:
            tool: one of the agent's tools, whose result it could be.
            arguments: what the tool would have been called with.
            result: anything that a tool may return. It is encoded, and cut if too long, like a tool's result.

        Raises:
            ConfigError: the agent has no such tool.
        """

    def inform(self, text: str) -> None:
        """Let the model know something, as a system message. It does not speak because of it."""

    def say(self, text: str) -> None:
        """Let the agent say this to the caller, word for word, in the next quiet moment.

        The moment is quiet when the caller is silent and no answer is under way. It is the model that speaks,
        so a word may come out differently.
        """

    def hang_up(self) -> None:
        """End the call once the caller has heard the agent's last word."""

    def commit_turn(self, *, respond: bool = True) -> None:
        """Manual turns: the caller is done. The agent stops speaking, if it does, and answers.

        If less than 100 ms of audio came since the last turn, nothing happens.

        Args:
            respond: False: the agent answers only after ``respond()``.

        Raises:
            ConfigError: ``realtime.turn_detection`` is not ``none``: the server ends the turns.
        """

    def clear_turn(self) -> None:
        """Discard what the caller said since the last turn: it is no part of the next one."""

    def interrupt(self) -> None:
        """Make the agent stop speaking now, as if the caller had barged in."""

    def respond(self) -> None:
        """Make the agent speak as soon as it may: to an unanswered turn, or on its own."""

    async def transfer(self, name: str, *, summary: str = "", warm: bool | None = None) -> Outcome:
        """Transfer the caller to a destination of ``[transfers]`` after the agent's last word.

        Returns when it is decided, so that the agent can say good-bye. If the caller speaks before the
        good-bye is over, the transfer does not begin, and the model learns that it must ask again.

        Args:
            name: the destination's name.
            summary: what the call is about. The colleague hears it, or receives it as a text message, as
                the destination says.
            warm: whether the agent speaks to the colleague first; None: as the destination says.

        Raises:
            ConfigError: there are no destinations, or a warm transfer has no Twilio account to dial with.
        """

    def voicemail(self) -> Outcome:
        """Let the caller leave a message after the agent's last word.

        Raises:
            ConfigError: ``transfers.voicemail`` is off.
        """

    async def send_sms(self, to: str, text: str) -> Outcome:
        """Send a text message, and wait until Twilio has accepted it.

        Args:
            to: ``"caller"`` (the person on the line) or the name of a destination.
            text: at most 1,600 characters.

        Raises:
            ConfigError: there is no Twilio account, or no number of ours to send from.
        """

    def send_digits(self, digits: str) -> None:
        """Press keys: ``0123456789*#``; ``w`` waits half a second, ``W`` a second.

        Raises:
            ValueError: it has other characters, or more than 32.
        """


@attrs.frozen
class ToolContext:
    """One tool call, for the function that runs it."""

    call: CallHandle
    tool_call_id: str
    """The model's own id of it."""
    key: str
    """Idempotency key: the same on every try, in a restored session and after a restart; no other
    tool call has it. Pass it to whatever books, pays or sends."""
    attempt: int = 1
