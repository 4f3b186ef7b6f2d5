"""``llcphone prompt``: how large an agent's prompt is, part by part, in the order the server caches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.call.money import money_plan
from llcphone.call.plan import plan_call
from llcphone.price_files import price_list
from llcphone.realtime.dialects import Dialect, unsupported_keys
from llcphone.realtime.events import Usage
from llcphone.realtime.session import prompt_tokens, tools_tokens

if TYPE_CHECKING:
    from llcphone.agent import Agent
    from llcphone.config import Config


def prompt_lines(config: Config, agent: Agent, context: str = "") -> list[str]:
    """What a person is shown of one agent's prompt.

    Args:
        config: the settings.
        agent: whose prompt it is.
        context: what a call would be about.
    """
    session = plan_call(config, agent, call_sid="", context=context).session
    static = agent.instructions or config.agent.instructions
    lean, full = tools_tokens(agent.lean_tools()), tools_tokens(agent.full_tools())
    parts = [("tools of the first turn", lean), ("instructions", prompt_tokens(static))]
    if context:
        parts.append(("this call's context", prompt_tokens(context)))
    total = sum(tokens for _, tokens in parts)
    lines = [f"{agent.name}: the head of every response's input, in the order it is cached"]
    lines += [f"  {name:<24} about {tokens:>6} tokens" for name, tokens in parts]
    lines.append(f"  {'together':<24} about {total:>6} tokens{_cost(config, total)}")
    if full != lean:
        lines.append(f"  later all tools, about {full} tokens: the change is paid in full once")
    lines.append("  Estimates of about four letters a token; call records hold what OpenAI counted.")
    if unsent := unsupported_keys(session, Dialect.GA):
        lines.append(f"  Not sent in the GA dialect, which has no place for it: {', '.join(unsent)}")
    return lines


def _cost(config: Config, tokens: int) -> str:
    rates = money_plan(config).rates
    if rates is None:
        return ""
    fresh_usd = rates.cost_usd(Usage(input_text=tokens))
    cached_usd = rates.cost_usd(Usage(input_text=tokens, cached_text=tokens))
    date = price_list(config.money.price_file).date
    return f": ${fresh_usd:.5f} a response, ${cached_usd:.5f} cached (prices of {date})"
