"""The section about replacing a model session before it ends; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class RenewalConfig(Section):
    """[renewal]: a session is replaced in a quiet moment, by one that was made ready beside it."""

    at_age_s: float = setting(3300.0, between(0.0, 3_540.0))
    """Age at which a successor is opened; the vendor ends a session at 60 minutes. 0 lets it end."""
    margin_s: float = setting(300.0, between(1.0, 3_000.0))
    """So long before the end that the server names, if that is sooner; a quarter of a shorter life."""
    quiet_ms: int = setting(500, between(0, 10_000))
    """How long nobody must have spoken before the switch."""
    tries: int = setting(5, between(1, 100))
    """Successors tried in a row; then this session goes on to its end, and recovery takes over."""
    refresh_at_age_s: float = setting(0.0, between(0.0, 3_540.0))
    """A refresh at this age: a fresh session with a summary and the last turns only. 0 is off."""
    refresh_at_tokens: int = setting(0, between(0, 1_000_000))
    """A refresh when a response takes so many input tokens, audio included; 0 is off."""
    refresh_at_gap_ms: int = setting(0, between(0, 60_000))
    """A refresh when answers take so much longer than at the session's beginning; 0 is off."""
    keep_turns: int = setting(6, between(1, 1_000))
    """Turns of the caller that a refresh tells word by word."""
    summary: bool = setting(True)
    """Whether the model is asked for a summary: for a refresh, and where words were not written down."""
    summary_wait_s: float = setting(5.0, between(0.5, 60.0))
    """Longest wait for it; then the last turns are told without."""
