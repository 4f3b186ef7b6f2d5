"""The turn ledger: for each turn, when each thing happened on its way to the ear.

Caller stopped -> turn decided -> response created -> first delta -> sent -> heard. All times are
milliseconds of the call's clock, None when that step never came.
"""

from __future__ import annotations

import attrs


@attrs.define
class Turn:
    """One turn of the agent: an answer to the caller, the greeting, or what follows tools."""

    index: int
    asked: str
    """``greeting``, ``caller``, ``tools``, ``resume`` or ``message``."""
    caller_stopped_ms: int | None = None
    """The end of the caller's turn, by the audio position that turn detection named.

    OpenAI dates it at the end of the audio that decided, so the silence it waited for (server_vad's
    ``silence_duration_ms``, semantic_vad's own judgement) lies before it, not in the answer gap.
    """
    decided_ms: int | None = None
    """``input_audio_buffer.speech_stopped`` arrived."""
    created_ms: int | None = None
    first_delta_ms: int | None = None
    sent_ms: int | None = None
    heard_ms: int | None = None
    """The first mark echo of its audio arrived."""
    barged_in_ms: int | None = None
    tools: list[str] = attrs.field(factory=list)

    @property
    def answer_gap_ms(self) -> int | None:
        """Last caller speech to first agent audio sent."""
        if self.caller_stopped_ms is None or self.sent_ms is None:
            return None
        return self.sent_ms - self.caller_stopped_ms


class TurnLedger:
    """Collects turns; the latest one is being filled."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._by_response: dict[str, Turn] = {}
        self._caller_stopped_ms: int | None = None
        self._decided_ms: int | None = None

    def caller_stopped(self, now_ms: int, stopped_ms: int) -> None:
        """Turn detection decided at ``now_ms`` that the caller had stopped at ``stopped_ms``."""
        self._caller_stopped_ms = stopped_ms
        self._decided_ms = now_ms

    def response_created(self, response_id: str, asked: str, now_ms: int) -> Turn:
        """A turn of the agent begins; one that is told twice is one."""
        if (known := self._by_response.get(response_id)) is not None:
            return known
        turn = Turn(len(self.turns) + 1, asked, created_ms=now_ms)
        # The answer to a turn may come from the next session.
        if asked in ("caller", "resume") and self._caller_stopped_ms is not None:
            turn.caller_stopped_ms, self._caller_stopped_ms = self._caller_stopped_ms, None
            turn.decided_ms, self._decided_ms = self._decided_ms, None
        elif asked in ("tools", "resume") and self.turns and self.turns[-1].sent_ms is None:
            # The caller still waits for the answer that was begun, or that the tools were called for.
            turn.caller_stopped_ms = self.turns[-1].caller_stopped_ms
            turn.decided_ms = self.turns[-1].decided_ms
        self.turns.append(turn)
        self._by_response[response_id] = turn
        if len(self._by_response) > 16:
            del self._by_response[next(iter(self._by_response))]
        return turn

    def of(self, response_id: str) -> Turn | None:
        """The turn that a response belongs to, while it is recent."""
        return self._by_response.get(response_id)

    def forget(self, response_id: str) -> None:
        """A response of which nothing was heard (an unasked one) is no turn."""
        turn = self._by_response.pop(response_id, None)
        if turn is not None and self.turns and self.turns[-1] is turn:
            self.turns.pop()
