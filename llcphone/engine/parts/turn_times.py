"""When each step of a turn happened, and what the turn cost.

    caller's last sound -> turn decided -> response created -> first delta -> sent -> heard

Two gaps follow from it. The *answer gap* ends when the first audio is sent: it is what llcphone and the
model can change. The *heard latency* (``ear_gap_ms``) is what the caller waits: from their last sound to
the first sound that they hear. Neither end of it can be observed; both are calculated
(``spoke_until_ms``, ``ear_ms``). Its parts add up to it, so the longest part shows where the time went.

All times are milliseconds of the call's clock; None: that step never happened.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.realtime import usage as tokens
from llcphone.realtime.events import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@attrs.define
class Turn:
    """One turn of the agent: an answer to the caller, the greeting, or what follows tools."""

    index: int
    asked: str
    """``greeting``, ``caller``, ``tools``, ``resume``, ``message`` or ``goodbye``."""
    spoke_until_ms: int | None = None
    """The caller's last sound, as far as it can be known: under server_vad the end of the turn less the
    silence that decided it; under semantic_vad, which reports no such silence, the end of the turn."""
    caller_stopped_ms: int | None = None
    """The end of the caller's turn, by the audio position that turn detection named.

    OpenAI dates it at the end of the audio that decided, so the silence it waited for (server_vad's
    ``silence_duration_ms``, semantic_vad's own judgement) lies before it, not in the answer gap.
    """
    decided_ms: int | None = None
    """``input_audio_buffer.speech_stopped`` arrived."""
    begun_ms: int | None = None
    """The first response of this answer was created: this one, or the one that called the tools."""
    created_ms: int | None = None
    first_delta_ms: int | None = None
    sent_ms: int | None = None
    ear_ms: int | None = None
    """The caller began to hear it: the first mark's echo less the audio before that mark (late by the echo's
    way back to us)."""
    heard_ms: int | None = None
    """The first mark echo of its audio arrived."""
    barged_in_ms: int | None = None
    tools: list[str] = attrs.field(factory=list)
    usage: Usage = attrs.field(factory=Usage)
    """Tokens of its response."""
    cost_usd: float | None = None
    """None: no usage came, or the model has no price."""

    @property
    def answer_gap_ms(self) -> int | None:
        """Last caller speech to first agent audio sent."""
        return _between(self.caller_stopped_ms, self.sent_ms)

    @property
    def ear_gap_ms(self) -> int | None:
        """The heard latency: from the caller's last sound to the first sound of the answer that they hear."""
        return _between(self.spoke_until_ms, self.ear_ms)

    def parts(self) -> dict[str, int]:
        """The steps whose both ends are known, by the name of the step that ended each."""
        steps = (
            ("", self.spoke_until_ms),
            ("decided", self.decided_ms),
            ("created", self.begun_ms),
            ("tools", self.created_ms),
            ("first_delta", self.first_delta_ms),
            ("sent", self.sent_ms),
            ("heard", self.ear_ms),
        )
        known = [(name, at_ms) for name, at_ms in steps if at_ms is not None]
        parts = {name: max(0, at_ms - before_ms) for (_, before_ms), (name, at_ms) in pairwise(known)}
        if self.begun_ms == self.created_ms:
            parts.pop("tools", None)
        return parts

    @property
    def longest(self) -> str:
        """The longest part of an answer that the caller waited for; empty when the caller did not wait."""
        parts = self.parts() if self.spoke_until_ms is not None else {}
        return max(parts, key=lambda name: parts[name]) if parts else ""

    def as_data(self, since: Callable[[int | None], int | None]) -> dict[str, Any]:
        """Plain data for the record; ``since`` makes times of the clock into times of the call."""
        data = attrs.asdict(self)
        for key in [key for key in data if key.endswith("_ms")]:
            data[key] = since(data[key])
        data |= {"answer_gap_ms": self.answer_gap_ms, "ear_gap_ms": self.ear_gap_ms}
        data |= {"parts": self.parts(), "longest": self.longest}
        data["cached_share"] = round(tokens.cached_share(self.usage), 4)
        return data


class TurnTimings:
    """Collects turns; the latest one is being filled."""

    def __init__(self, *, silence_ms: int = 0) -> None:
        """``silence_ms``: the silence that turn detection waits for after the last sound; 0: unknown."""
        self.turns: list[Turn] = []
        self._silence_ms = silence_ms
        self._by_response: dict[str, Turn] = {}
        self._caller_stopped_ms: int | None = None
        self._decided_ms: int | None = None
        self._waited: Turn | None = None
        """The last turn that the caller has waited for and begun to hear ..."""
        self._wait: tuple[int | None, str] | None = (None, "")
        """... and its wait; None: not calculated yet."""

    def caller_stopped(self, now_ms: int, stopped_ms: int) -> None:
        """Turn detection decided at ``now_ms`` that the caller had stopped at ``stopped_ms``."""
        self._caller_stopped_ms = stopped_ms
        self._decided_ms = now_ms

    def caller_said(self, until_ms: int) -> None:
        """Words of the caller were said until then; they come late, perhaps after the answer has begun."""
        turn = self.turns[-1] if self.turns else None
        if turn is None or turn.created_ms is None or turn.created_ms < until_ms:
            self._caller_stopped_ms = until_ms
        elif turn.asked in ("caller", "resume"):
            turn.spoke_until_ms = max(turn.spoke_until_ms or 0, until_ms)
            turn.caller_stopped_ms = turn.spoke_until_ms
            if turn.heard_ms is not None:
                self._waited, self._wait = turn, None

    def response_created(self, response_id: str, asked: str, now_ms: int) -> Turn:
        """A turn of the agent begins; a repeated event makes no second one."""
        if (known := self._by_response.get(response_id)) is not None:
            return known
        turn = Turn(len(self.turns) + 1, asked, begun_ms=now_ms, created_ms=now_ms)
        # The answer to a turn may come from the next session.
        if asked in ("caller", "resume") and self._caller_stopped_ms is not None:
            turn.spoke_until_ms = self._caller_stopped_ms - self._silence_ms
            turn.caller_stopped_ms, self._caller_stopped_ms = self._caller_stopped_ms, None
            turn.decided_ms, self._decided_ms = self._decided_ms, None
        elif asked in ("caller", "tools", "resume") and self.turns and self.turns[-1].sent_ms is None:
            # The caller still waits for the answer that was begun, or that the tools were called for.
            before = self.turns[-1]
            turn.spoke_until_ms = before.spoke_until_ms
            turn.caller_stopped_ms = before.caller_stopped_ms
            turn.decided_ms = before.decided_ms
            turn.begun_ms = before.begun_ms
        self.turns.append(turn)
        self._by_response[response_id] = turn
        if len(self._by_response) > 16:
            del self._by_response[next(iter(self._by_response))]
        return turn

    def heard(self, response_id: str, before_mark_ms: int, now_ms: int) -> Turn | None:
        """A mark of this response was echoed: its turn, if the caller has begun to hear it by that."""
        turn = self._by_response.get(response_id)
        if turn is None or turn.heard_ms is not None:
            return None
        turn.heard_ms = now_ms
        turn.ear_ms = max(now_ms - before_mark_ms, turn.sent_ms or 0)
        if turn.ear_gap_ms is not None:
            self._waited, self._wait = turn, None
        return turn

    def last_wait(self) -> tuple[int | None, str]:
        """The heard latency of the last turn that the caller waited for, in ms, and its longest part.

        None and "": they have waited for none. It is calculated once per turn: no step of a turn comes
        after the caller has begun to hear it.
        """
        if self._wait is None and self._waited is not None:
            self._wait = (self._waited.ear_gap_ms, self._waited.longest)
        return self._wait or (None, "")

    def of(self, response_id: str) -> Turn | None:
        """The turn that a response belongs to, while it is recent."""
        return self._by_response.get(response_id)

    def first_sound_ms(self, response_id: str) -> int | None:
        """How long this response took to become sound."""
        turn = self._by_response.get(response_id)
        return None if turn is None else _between(turn.created_ms, turn.first_delta_ms)

    def forget(self, response_id: str) -> None:
        """A response of which nothing was heard (an unasked one) is no turn."""
        turn = self._by_response.pop(response_id, None)
        if turn is not None and self.turns and self.turns[-1] is turn:
            self.turns.pop()


def vad_silence_ms(session: Mapping[str, Any]) -> int:
    """The silence that a turn's end includes: server_vad's, as the session asks for it; else unknown, so 0.

    ``audio_end_ms`` "includes the min_silence_duration_ms configured in the Session" (OpenAI's reference).
    """
    detection = session.get("turn_detection") or {}
    return int(detection.get("silence_duration_ms") or 0)


def _between(start_ms: int | None, end_ms: int | None) -> int | None:
    return None if start_ms is None or end_ms is None else end_ms - start_ms
