"""The section about what happens when the model is lost; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class RecoveryConfig(Section):
    """[recovery]: a lost model session is replaced in mid-call, and the caller never hears a dead line."""

    enabled: bool = setting(True)
    """Whether a lost session is replaced; without it the caller hears the apology, and the call ends."""
    limit_s: float = setting(8.0, between(1.0, 25.0))
    """Longest wait from a lost session or a failed answer until the agent is heard; then the apology."""
    most: int = setting(3, between(1, 100))
    """Such troubles, or overdue answers, in a row with no answer spoken to its end; then the apology."""
    stall_s: float = setting(4.0, between(0.0, 60.0))
    """An answer overdue by this much is a lost session; the next has twice as long. 0 waits for ever."""
    filler_file: str = setting("")
    """8 kHz µ-law file played while the caller waits; "" says "One moment, please.", "off" nothing."""
    filler_after_ms: int = setting(400, between(100, 10_000))
    """Silence the caller may hear before the filler."""
    filler_every_s: float = setting(6.0, between(1.0, 60.0))
    """From one filler to the next."""
    apology_file: str = setting("")
    """8 kHz µ-law file played when model or server fails a call; "" is the shipped one, "off" none."""
    breaker_failures: int = setting(5, between(0, 1_000))
    """Sessions in a row that could not be had until new calls get the fallback at once; 0 never."""
    breaker_window_s: float = setting(30.0, between(1.0, 3_600.0))
    """Within how long."""
    breaker_probe_s: float = setting(5.0, between(0.5, 600.0))
    """How often the endpoint is then asked for a session; the first it gives lets calls in again."""
