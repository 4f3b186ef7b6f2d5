"""``llcphone prompt`` shows the parts of a prompt in the order in which they are cached."""

from __future__ import annotations

import pytest

from llcphone import Agent, Config
from llcphone.cli.prompt import LiveSizes, prompt_lines, sizes


def agent() -> Agent:
    baker = Agent("You answer the telephone of a bakery. " * 20, name="baker")

    @baker.tool(lean=True)
    async def opening_hours() -> str:
        """When the bakery is open."""
        return "always"

    @baker.tool
    async def order(bread: str) -> str:
        """Order a bread."""
        return bread

    return baker


def test_tools_come_first_and_the_calls_own_context_last() -> None:
    lines = "\n".join(prompt_lines(Config(), agent(), "The caller is Ann."))
    places = [
        lines.index(part) for part in ("tools of the first turn", "instructions", "context", "together")
    ]
    assert places == sorted(places)
    assert "about    190 tokens" in lines  # 760 letters
    assert "later all tools" in lines
    assert "$0.00" in lines
    assert "Ann" not in lines


def test_no_price_is_no_cost() -> None:
    lines = "\n".join(prompt_lines(Config.from_dict({"realtime": {"model": "mine"}}), agent()))
    assert "$" not in lines


def test_a_cache_key_that_ga_does_not_take_is_told() -> None:
    config = Config.from_dict({"realtime": {"prompt_cache_key": "bakery"}})
    assert "prompt_cache_key" in prompt_lines(config, agent())[-1]


def test_gpt_live_has_two_prompts_and_both_are_shown() -> None:
    config = Config.from_dict({"realtime": {"protocol": "live"}})
    lines = prompt_lines(config, agent(), "The caller is Ann.")
    text = "\n".join(lines)
    assert "the prompt of the voice (gpt-live-1), about" in lines[0]
    assert "  | - opening_hours: When the bakery is open." in lines
    assert text.index("prompt of the voice") < text.index("Delegation policy") < text.index("of the backend")
    assert "the prompt of the backend (gpt-5.6-terra), about" in text
    assert text.count("The caller is Ann.") == 2
    assert "for each response of the backend (prices of 2026-11-20)" in text
    assert "Too long" not in text


def test_a_voices_prompt_that_gpt_live_would_refuse_is_told() -> None:
    config = Config.from_dict({"realtime": {"protocol": "live"}, "live": {"backend_model": "mine"}})
    text = "\n".join(prompt_lines(config, Agent("word " * 14_000)))
    assert "Too long: GPT-Live takes at most 16384 tokens" in text
    assert "$" not in text


def test_the_sizes_of_gpt_live_as_json() -> None:
    config = Config.from_dict({"realtime": {"protocol": "live"}})
    found = sizes(config, agent())
    assert isinstance(found, LiveSizes)
    assert found.usd == pytest.approx((found.backend + found.tools) * 2 / 1e6)
