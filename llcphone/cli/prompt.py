"""``llcphone prompt``: how large an agent's prompt is, part by part, in the order the server caches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.call.live_session import MOST_VOICE_TOKENS
from llcphone.call.setup import plan_session
from llcphone.call.setup_money import endpoint_rates
from llcphone.price_lists import price_list
from llcphone.realtime.dialects import Dialect, unsupported_keys
from llcphone.realtime.events import Usage
from llcphone.realtime.profiles import known_dialect
from llcphone.realtime.session import prompt_tokens, tools_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.agent import Agent
    from llcphone.config import Config


@attrs.frozen
class Sizes:
    """About how many tokens the parts of an agent's prompt have, and what they cost."""

    agent: str
    first_tools: int
    instructions: int
    context: int
    all_tools: int
    usd: float | None
    """For each response, uncached; None: the price list does not name the model."""
    usd_cached: float | None

    @property
    def together(self) -> int:
        """At the head of every response's input."""
        return self.first_tools + self.instructions + self.context


@attrs.frozen
class LiveSizes:
    """About how many tokens the two prompts of GPT-Live have, and what a task of the backend costs."""

    agent: str
    voice: int
    """At most ``MOST_VOICE_TOKENS``."""
    backend: int
    """Without the tools."""
    tools: int
    usd: float | None
    """For the backend's prompt and tools at the head of each of its responses; None: it has no price."""


def sizes(config: Config, agent: Agent, context: str = "") -> Sizes | LiveSizes:
    """Measure one agent's prompt or prompts; ``context`` is what a call would be about."""
    if config.realtime.protocol == "live":
        return _live_sizes(config, agent, plan_session(config, agent, context))
    static = agent.instructions or config.agent.instructions
    first, about = tools_tokens(agent.lean_tools()), prompt_tokens(context) if context else 0
    known, rates = prompt_tokens(static), endpoint_rates(config)[0]
    total = first + known + about
    return Sizes(
        agent=agent.name,
        first_tools=first,
        instructions=known,
        context=about,
        all_tools=tools_tokens(agent.full_tools()),
        usd=None if rates is None else rates.cost_usd(Usage(input_text=total)),
        usd_cached=None if rates is None else rates.cost_usd(Usage(input_text=total, cached_text=total)),
    )


def prompt_lines(config: Config, agent: Agent, context: str = "") -> list[str]:
    """What a person is shown of one agent's prompt.

    Args:
        config: the settings.
        agent: whose prompt it is.
        context: what a call would be about.
    """
    session = plan_session(config, agent, context)
    size = sizes(config, agent, context)
    if isinstance(size, LiveSizes):
        return _live_lines(config, size, session)
    parts = [("tools of the first turn", size.first_tools), ("instructions", size.instructions)]
    if context:
        parts.append(("this call's context", size.context))
    lines = [f"{agent.name}: the head of every response's input, in the order it is cached"]
    lines += [f"  {name:<24} about {tokens:>6} tokens" for name, tokens in parts]
    lines.append(f"  {'together':<24} about {size.together:>6} tokens{_cost(config, size)}")
    if size.all_tools != size.first_tools:
        lines.append(f"  later all tools, about {size.all_tools} tokens: the change is paid in full once")
    lines.append("  Estimates of about four letters a token; call records hold what OpenAI counted.")
    dialect = known_dialect(config.realtime) or Dialect.GA
    if unsent := unsupported_keys(session, dialect):
        lines.append(f"  Not sent, because the {dialect.value} dialect does not have it: {', '.join(unsent)}")
    return lines


def _live_sizes(config: Config, agent: Agent, session: Mapping[str, Any]) -> LiveSizes:
    backend, rates = session["delegation"]["responses"], endpoint_rates(config)[0]
    known, tools = prompt_tokens(backend["instructions"]), tools_tokens(backend["tools"])
    return LiveSizes(
        agent=agent.name,
        voice=prompt_tokens(session["instructions"]),
        backend=known,
        tools=tools,
        usd=None if rates is None else rates.cost_usd(Usage(input_text=known + tools)),
    )


def _live_lines(config: Config, size: LiveSizes, session: Mapping[str, Any]) -> list[str]:
    """Both prompts word by word: they are made of the agent's text, so their author has not seen them."""
    backend = session["delegation"]["responses"]
    lines = [f"{size.agent}: the prompt of the voice ({session['model']}), about {size.voice} tokens"]
    lines += [f"  | {line}".rstrip() for line in session["instructions"].splitlines()]
    lines.append(
        f"{size.agent}: the prompt of the backend ({backend['model']}), about {size.backend} tokens, "
        f"and {size.tools} of tools"
    )
    lines += [f"  | {line}".rstrip() for line in backend["instructions"].splitlines()]
    if size.usd is not None:
        date = price_list(config.money.price_file).date
        lines.append(f"  ${size.usd:.5f} for each response of the backend (prices of {date})")
    lines.append("  Estimates of about four letters a token; call records hold what OpenAI counted.")
    if size.voice > MOST_VOICE_TOKENS:
        lines.append(f"  Too long: GPT-Live takes at most {MOST_VOICE_TOKENS} tokens for the voice.")
    return lines


def _cost(config: Config, size: Sizes) -> str:
    if size.usd is None:
        return ""
    date = price_list(config.money.price_file).date
    return f": ${size.usd:.5f} a response, ${size.usd_cached:.5f} cached (prices of {date})"
