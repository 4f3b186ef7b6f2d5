"""Settings of [drain]: how live calls end when the process is asked to stop."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting

LEAVING_S = 3.0
"""How long a node whose ``/readyz`` says that it drains still takes new calls: a proxy in front of several
nodes looks once a second, and until it has seen it, new callers come. None of them gets the fallback."""


@frozen(kw_only=True)
class DrainConfig(Section):
    """[drain]: how live calls end when the process is asked to stop."""

    limit_s: float = setting(600.0, between(0.0, 86_400.0))
    """How long live calls may continue after the process was asked to stop; 0: they are cut off."""
    goodbye_s: float = setting(15.0, between(0.0, 120.0), advanced=True)
    """Time before that limit at which the agent says good-bye in calls that no other process can resume;
    0: no good-bye. It has no effect unless it is shorter than the limit."""
