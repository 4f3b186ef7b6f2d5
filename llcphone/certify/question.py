"""What a question is, and the most that asking costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from llcphone.certify.answer import Answer
    from llcphone.certify.site import Site
    from llcphone.prices import Rates

_PER = 1_000_000
AUDIO_TOKENS_PER_S = 10
"""Of what the caller says (OpenAI costs, in docs/vendor-facts.md)."""


class Part(Enum):
    """Which account is asked."""

    MODEL = "model"
    TELEPHONE = "telephone"
    LIVE = "live"


@frozen(kw_only=True)
class Bound:
    """The most that one question uses. Responses are counted and limited in length, calls end in time."""

    responses: int = 0
    output_tokens: int = 0
    """Of each response."""
    input_tokens: int = 0
    """Text in the input of each response."""
    input_audio_s: float = 0.0
    """The caller's audio in the input of each response."""
    calls: int = 0
    """Calls that are placed."""
    live_s: int = 0
    """Seconds of sessions of GPT-Live, which are billed by time."""
    call_s: int = 0
    """Longest time of each call; the carrier bills begun minutes, of both legs."""

    def model_usd(self, rates: Rates) -> float:
        """The most that responses cost, in US$; nothing is taken to be cached."""
        each = (
            self.output_tokens * max(rates.output_audio, rates.output_text)
            + self.input_tokens * rates.input_text
            + self.input_audio_s * AUDIO_TOKENS_PER_S * rates.input_audio
        )
        return self.responses * each / _PER

    @property
    def minutes(self) -> int:
        """Begun minutes of all calls; each of them is billed once for either leg."""
        return self.calls * -(-self.call_s // 60)


Ask = Callable[["Site"], Awaitable["Answer"]]


@frozen(kw_only=True)
class Question:
    """One open question."""

    id: str
    part: Part
    asks: str
    """The question, as docs/reliability.md has it."""
    how: str
    """What is done to find out, for the person who pays."""
    answers: Mapping[str, str]
    """Each possible answer: its word, and what it means."""
    settings: tuple[str, ...] = ()
    """The settings that the answer decides; none: it decides no setting."""
    bound: Bound = Bound()
    limit_s: float
    """Longest time it may take."""
    is_long: bool = False
    """Asked only if the person wants to wait for it."""
    ask: Ask
