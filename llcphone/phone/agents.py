"""The agent that answers: the phone's own, or the one that the user's function chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from llcphone.agent import Agent, agents_of
from llcphone.errors import NoAgent
from llcphone.runtime.containment import contained

if TYPE_CHECKING:
    from llcphone.runtime.containment import Faults

AgentChoice = Agent | Callable[[Mapping[str, str]], Agent]
"""One agent for all calls, or a function of the webhook's form."""


@attrs.define(eq=False)
class AgentChooser:
    """Chooses an agent for each call."""

    agent: AgentChoice
    """The agent that answers new calls, or the function that chooses one."""
    _faults: Faults

    def choose(self, form: Mapping[str, str]) -> Agent:
        """The agent that answers such a call; raises ``NoAgent`` when the user's function fails."""
        if isinstance(self.agent, Agent):
            return self.agent
        with contained() as failure:
            chosen: object = self.agent(form)
            if isinstance(chosen, Agent):
                return chosen
        kinds = failure.kinds or [f"{type(chosen).__name__} for Agent"]
        self._faults.count("no agent was chosen", kinds)
        raise NoAgent(kinds)

    def named(self, name: str) -> Agent | None:
        """The agent of this name; None when there is none."""
        return agents_of(self.agent).get(name)
