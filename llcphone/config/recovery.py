"""Settings of [recovery]: what happens when the model session is lost."""

from __future__ import annotations

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
