"""The section about the agent's tools while they work; `config` says how sections are read."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class ToolsConfig(Section):
    """[tools]: the agent's tools while they work; how long the model waits is ``call.tool_timeout_s``."""

    at_once: int = setting(8, between(1, 1_000))
    """Tools of one call that may run at the same time; the next waits its turn, inside its own deadline."""
    limit_s: float = setting(120.0, between(1.0, 86_400.0))
    """Longest life of a tool that may go on without the model: detached, or with late results delivered."""
    retry_after_ms: int = setting(200, between(10, 60_000))
    """Pause before the second try of a tool that is marked `retry`; it doubles with each further one."""
    approve_timeout_s: float = setting(30.0, between(1.0, 3_600.0))
    """Longest wait for the approval of a tool call; then it counts as refused."""
    filler_after_ms: int = setting(0, between(0, 30_000))
    """Silence while a tool works until the caller hears the filler; 0 never plays one."""
    filler_every_s: float = setting(8.0, between(0.0, 600.0))
    """Silence until the next filler; 0 plays one per wait."""
    filler: Literal["speech", "tone"] | str = setting("speech")
    """"One moment, please.", a short soft tone, or an 8 kHz µ-law file of your own."""
