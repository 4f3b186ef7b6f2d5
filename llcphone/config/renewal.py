"""The section about replacing a model session before it ends; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class RenewalConfig(Section):
    """[renewal]: a model session is replaced in a quiet moment before the vendor ends it."""

    at_age_s: float = setting(3300.0, between(0.0, 3_540.0), advanced=True)
    """Age at which a session gets a successor; 0: it runs to its end. The vendor ends sessions at
    60 minutes, so the default leaves five minutes for a quiet moment."""
    refresh_at_age_s: float = setting(0.0, between(0.0, 3_540.0), advanced=True)
    """Age at which a session is refreshed: its successor gets only a summary and the last turns; 0: never.
    The default is off because a refresh loses detail."""
    keep_turns: int = setting(6, between(1, 1_000), advanced=True)
    """Number of the caller's last turns that a refresh repeats word by word."""
    summary: bool = setting(True, advanced=True)
    """Whether the model writes a summary: for a refresh, and for turns without a transcript."""
