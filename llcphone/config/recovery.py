"""The sections about what happens when the model is lost, [recovery], [breaker] and [filler].

`config` says how sections are read.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class RecoveryConfig(Section):
    """[recovery]: a lost model session is replaced in mid-call, and the caller never hears a dead line."""

    enabled: bool = setting(True)
    """Whether a lost session is replaced; without it the caller hears the apology, and the call ends."""
    limit_s: float = setting(8.0, between(1.0, 25.0))
    """Longest wait from a lost session or a failed answer until the agent is heard; then the apology."""
    max_losses: int = setting(3, between(1, 100))
    """Such troubles, or overdue answers, in a row with no answer spoken to its end; then the apology."""
    stall_s: float = setting(4.0, between(0.0, 60.0))
    """An answer overdue by this much is a lost session; the next has twice as long. 0 waits for ever."""
    apology_file: str = setting("")
    """8 kHz µ-law file played when model or server fails a call; "" is the shipped one, "off" none."""


@frozen(kw_only=True)
class BreakerConfig(Section):
    """[breaker]: new calls are turned away at once while no model session can be had."""

    failures: int = setting(5, between(0, 1_000))
    """Failed sessions in a row after which new calls get the fallback at once; 0 never."""
    window_s: float = setting(30.0, between(1.0, 3_600.0))
    """The failures count only if all of them happen within this time."""
    probe_s: float = setting(5.0, between(0.5, 600.0))
    """How often the endpoint is then asked for a session; the first it gives lets calls in again."""


@frozen(kw_only=True)
class FillerConfig(Section):
    """[filler]: the sound that callers hear while they wait for a lost session or a tool."""

    sound: Literal["speech", "tone", "off"] | str = setting("speech")
    """"speech" says "One moment, please.", "tone" is a short soft tone, "off" nothing; or the path of an
    8 kHz µ-law file of your own."""
    loss_after_ms: int = setting(400, between(100, 10_000))
    """Silence after a lost session until the caller hears the filler."""
    tool_after_ms: int = setting(0, between(0, 30_000))
    """Silence while a tool works until the caller hears the filler; 0 never plays one for a tool."""
    every_ms: int = setting(6_000, between(1_000, 600_000))
    """From one filler to the next."""
