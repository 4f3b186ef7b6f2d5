"""The section about the agent's tools while they work; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class ToolsConfig(Section):
    """[tools]: how many of the agent's tools run at once, and how long."""

    max_concurrent: int = setting(8, between(1, 1_000))
    """Tools of one call that may run at the same time; the next waits its turn, inside its own deadline."""
    timeout_s: float = setting(15.0, between(0.1, 3_600.0))
    """Limit of a tool that sets none of its own. After it the model is told that the tool timed out."""
    limit_s: float = setting(120.0, between(1.0, 86_400.0))
    """Longest life of a tool that may go on without the model: detached, or with late results delivered."""
    retry_after_ms: int = setting(200, between(10, 60_000))
    """Pause before the second try of a tool that is marked `retry`; it doubles with each further one."""
    approve_timeout_s: float = setting(30.0, between(1.0, 3_600.0))
    """Longest wait for the approval of a tool call; then it counts as refused."""
