"""The section about the agent's tools while they work; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class ToolsConfig(Section):
    """[tools]: how many of the agent's tools run at once, and how long."""

    timeout_s: float = setting(15.0, between(0.1, 3_600.0))
    """How long the model waits for a tool that sets no limit of its own. Then the model receives a
    time-out."""
    max_concurrent: int = setting(8, between(1, 1_000), advanced=True)
    """Most tools of one call at the same time. The next one waits, within its own time limit."""
    limit_s: float = setting(120.0, between(1.0, 86_400.0), advanced=True)
    """Longest run of a tool that may continue after the model stopped waiting (detached or late results)."""
    approve_timeout_s: float = setting(30.0, between(1.0, 3_600.0), advanced=True)
    """Longest wait for the approval of a tool call; then it counts as refused."""
