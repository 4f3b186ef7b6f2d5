"""Settings of [agent]: the agent that `llcphone serve` uses."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import (
    NOT_EMPTY,
    Section,
    setting,
)
from llcphone.languages import ENGLISH


@frozen(kw_only=True)
class AgentConfig(Section):
    """[agent]: the agent that `llcphone serve` uses."""

    file: str = setting("")
    """Path of a Python module with an `agent`; "" makes an agent from `agent.instructions`."""
    name: str = setting("default", NOT_EMPTY, advanced=True)
    """Name of that agent in records and logs."""
    instructions: str = setting("")
    """Prompt of the agent when there is no module."""
    goodbye_cue: str = setting(ENGLISH["agent.goodbye_cue"], NOT_EMPTY, private=True, advanced=True)
    """Text of the system item that asks the model for a good-bye before llcphone ends a call (budget, drain,
    silence); it is not spoken."""
