"""The session of GPT-Live, made from a configuration and an agent: two prompts, the voice and the tools.

The voice has no tools. It hands a task to the backend, a text model, which calls the agent's tools and
returns a text that the voice speaks about. So the agent's text goes to both: to the voice with the three
policies that OpenAI's guide keeps by name, to the backend with rules for what it returns.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llcphone.call.session_settings import safety_identifier
from llcphone.config.realtime import check_voice
from llcphone.validation.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.agent import Agent
    from llcphone.config import Config
    from llcphone.config.live import LiveConfig

LIVE_FORMAT = {"type": "audio/pcmu", "rate": 8000}
"""8 kHz µ-law, for both directions."""

MOST_VOICE_TOKENS = 16_384
"""GPT-Live refuses a voice's prompt that is longer."""

RETURNING_RESULTS = (
    "You work behind a voice model that speaks with the caller on the telephone. It hands you tasks and "
    "reads your answers aloud. Call the tools that a task needs, then answer in one or two short spoken "
    "sentences. Write plain text: no markup, no lists, no links. Write numbers and times as they are spoken. "
    "Never say that something is done unless a tool has reported it. If a fact is missing, ask for it "
    "in one sentence."
)
"""Ends the backend's prompt."""


def live_session_fields(config: Config, agent: Agent, context: str = "", person: str = "") -> dict[str, Any]:
    """The ``session`` of ``session.start``, without the history.

    Args:
        config: the settings, with the agent's own in effect.
        agent: the agent that answers.
        context: what the call is about; last in both prompts.
        person: number of the person on the line.

    Raises:
        ConfigError: the agent's voice is none of GPT-Live.
    """
    voice = agent.voice or config.realtime.voice
    check_voice(voice)
    safety = safety_identifier(config.realtime, person)
    return {
        "model": config.realtime.model,
        "instructions": voice_instructions(config, agent, context),
        "audio": {
            "format": dict(LIVE_FORMAT),
            "output": {"voice": voice},
        },
        "delegation": {
            "type": "responses",
            "acknowledgement_delay_ms": config.live.acknowledgement_delay_ms,
            "responses": {
                "model": config.live.backend_model,
                "instructions": backend_instructions(config, agent, context),
                "parallel_tool_calls": False,
                **_effort(config.live),
                "tools": live_opening_tools(config, agent),
            },
        },
        "store": False,
        **({"safety_identifier": safety} if safety else {}),
    }


def _effort(live: LiveConfig) -> dict[str, Any]:
    return {"reasoning": {"effort": live.backend_effort}} if live.backend_effort else {}


def live_opening_tools(config: Config, agent: Agent) -> list[dict[str, Any]]:
    """Schemas of the tools at first: all, unless a schedule changes them later.

    With few tools the Realtime API speaks sooner. Here the voice does not wait for them.
    """
    steps = agent.schedule or config.turns.schedule
    return agent.lean_tools() if any("tools" in step for step in steps) else agent.full_tools()


def tools_update(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The ``session`` of a ``session.update`` that gives the backend these tools instead."""
    return {"delegation": {"type": "responses", "responses": {"tools": list(tools)}}}


def voice_instructions(config: Config, agent: Agent, context: str = "") -> str:
    """The prompt of the voice: the agent's text, three headed policies, and what the call is about."""
    live = config.live
    policies = (
        live.backchannel_policy and f"Backchannel policy: {live.backchannel_policy}",
        live.interruption_policy and f"Interruption policy: {live.interruption_policy}",
        _delegation_policy(live, agent),
    )
    return _joined(agent.instructions or config.agent.instructions, *policies, context)


def _delegation_policy(live: LiveConfig, agent: Agent) -> str:
    if not agent.tools:
        return "Delegation policy: There are no backend tools. Do not delegate: answer by yourself."
    tools = [f"- {tool.name}: {_first_sentence(tool.schema['description'])}" for tool in agent.tools.values()]
    lines = ["Delegation policy:", "Backend tools:", *tools, live.delegation_policy]
    return "\n".join(lines) if live.delegation_policy else ""


def backend_instructions(config: Config, agent: Agent, context: str = "") -> str:
    """The prompt of the backend: the agent's text for it, how to return results, what the call is about."""
    own = agent.backend_instructions or agent.instructions or config.agent.instructions
    return _joined(own, RETURNING_RESULTS, context)


def _first_sentence(text: str) -> str:
    first = re.match(r"\s*(.+?(?:[.!?](?=\s)|\n|$))", text)
    return first[1].strip() if first else "no description"


def _joined(*parts: str) -> str:
    return clean_text("\n\n".join(part for part in parts if part))
