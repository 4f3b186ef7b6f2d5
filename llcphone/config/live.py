"""Settings of [live]: GPT-Live, in effect with ``realtime.protocol = "live"``."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import NOT_EMPTY, Section, between, setting

BackendEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]

BACKCHANNEL_POLICY = (
    'While the caller speaks at length, you may say a short word such as "mm-hm" now and then. Stay silent '
    "while the caller spells something or gives a number."
)
INTERRUPTION_POLICY = (
    "When the caller begins to speak while you speak, stop at once and listen. Go on speaking over noise and "
    'over short words of agreement such as "mm-hm". Do not repeat what you have already said.'
)
DELEGATION_POLICY = (
    "Delegate when the caller asks for something that a backend tool does, or for a fact that only a backend "
    "tool knows. Do not delegate to greet, to say good-bye, to make small talk, or to repeat what was said. "
    "Never say that something is done before the backend has reported it."
)


@frozen(kw_only=True)
class LiveConfig(Section):
    """[live]: GPT-Live, in effect with realtime.protocol = "live". It is experimental."""

    backend_model: str = setting("gpt-5.6-terra", NOT_EMPTY, advanced=True)
    """Text model that calls the agent's tools; its tokens are billed besides the minutes of the voice."""
    backend_effort: BackendEffort | None = setting("low", advanced=True)
    """How long that model thinks before it calls a tool or returns a result. Unset: the vendor's default. The
    default is low because the caller waits meanwhile."""
    acknowledgement_delay_ms: int = setting(0, between(0, 30_000), advanced=True)
    """Time that the backend works before the voice says "one moment" by itself; 0: at once."""
    backchannel_policy: str = setting(BACKCHANNEL_POLICY, advanced=True)
    """Paragraph "Backchannel policy" of the voice's prompt; "" leaves it out."""
    interruption_policy: str = setting(INTERRUPTION_POLICY, advanced=True)
    """Paragraph "Interruption policy" of the voice's prompt; "" leaves it out. No setting but this text
    decides when the voice stops."""
    delegation_policy: str = setting(DELEGATION_POLICY, advanced=True)
    """Paragraph "Delegation policy" of the voice's prompt, after the list of the agent's tools; "" leaves
    both out."""
    cushion_ms: int = setting(160, between(0, 1_000), advanced=True)
    """Silence sent before each utterance, so that audio that arrives late leaves no gap. Every utterance
    begins this much later."""
    quiet_steps: int = setting(8, between(0, 16), advanced=True)
    """How many µ-law steps from zero a sample may be and still count as silence. GPT-Live's silence was
    measured at up to 6, and its quietest word is far above 16."""
    backend_bytes: int = setting(32_768, between(4_096, 1_000_000), advanced=True)
    """Bytes of tool results that one session takes. Beyond them llcphone sends short placeholders. The
    default is the limit that others measured; OpenAI documents none."""
