"""The sections about what happens when the model is lost, [recovery], [breaker] and [filler].

`config` says how sections are read.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class RecoveryConfig(Section):
    """[recovery]: a lost model session is replaced during the call."""

    enabled: bool = setting(True)
    """Whether a lost session is replaced. If not, the caller hears the apology and the call ends."""
    limit_s: float = setting(8.0, between(1.0, 25.0))
    """Longest time from a lost session or failed answer until the agent is heard; then comes the apology."""
    max_losses: int = setting(3, between(1, 100), advanced=True)
    """Losses, failed or overdue answers in a row without one complete answer; then comes the apology."""
    stall_s: float = setting(4.0, between(0.0, 60.0), advanced=True)
    """A session whose answer is overdue by this much counts as lost, the next one after twice this time;
    0: never."""
    apology_file: str = setting("")
    """8 kHz µ-law file that is played when a call fails; "": the shipped one, "off": none."""


@frozen(kw_only=True)
class BreakerConfig(Section):
    """[breaker]: new calls are turned away at once while the model's endpoint gives no session."""

    failures: int = setting(5, between(0, 1_000), advanced=True)
    """Failed sessions in a row, within 30 s, after which new callers get the fallback at once; 0: never. The
    endpoint is then tried every 5 s, and the first session ends it."""


@frozen(kw_only=True)
class FillerConfig(Section):
    """[filler]: the sound that callers hear while they wait for a new session or a tool."""

    sound: Literal["speech", "tone", "off"] | str = setting("speech")
    """"speech" says "One moment, please.", "tone" is a short soft tone, "off" is silence. Any other text is
    the path of an 8 kHz µ-law file."""
    loss_after_ms: int = setting(400, between(100, 10_000), advanced=True)
    """Silence after a lost session until the caller hears the filler."""
    tool_after_ms: int = setting(0, between(0, 30_000))
    """Silence while a tool runs until the caller hears the filler; 0: never. The default is off because most
    tools are fast."""
    every_ms: int = setting(6_000, between(1_000, 600_000), advanced=True)
    """Silence from one filler to the next."""
