"""``llcphone prompt`` shows the parts of a prompt in the order in which they are cached."""

from __future__ import annotations

from llcphone import Agent, Config
from llcphone.cli.prompt import prompt_lines


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
