"""What opens a session of GPT-Live: two prompts, one voice, the tools; judged by the official types."""

from __future__ import annotations

from typing import Any

import pytest

from llcphone import Agent, Config, ConfigError
from llcphone.call.live_session import live_session_fields, tools_update
from llcphone.call.setup import plan_call, plan_session
from tests.official_types import stray_keys

BRIEF = "The caller is Ann."


def live(**sections: dict[str, Any]) -> Config:
    """Settings with protocol live and these besides."""
    return Config.from_dict({**sections, "realtime": {"protocol": "live", **sections.get("realtime", {})}})


def baker(**given: Any) -> Agent:
    """An agent with two tools, one of them lean."""
    agent = Agent("You answer the telephone of a bakery.", name="baker", **given)

    @agent.tool(lean=True)
    async def opening_hours() -> str:
        """When the bakery is open.

        More about it, which only the backend reads.
        """
        return "always"

    @agent.tool
    async def order(bread: str) -> str:
        """Order a bread."""
        return bread

    return agent


def fields(config: Config, agent: Agent, context: str = "") -> dict[str, Any]:
    return plan_session(config, agent, context)


def judged(event: dict[str, Any]) -> list[str]:
    """Keys that the official package does not know; it raises for what it refuses."""
    from openai.types.live.client_event import ClientEvent
    from pydantic import TypeAdapter

    return stray_keys(TypeAdapter(ClientEvent).validate_python(event))


@pytest.mark.parametrize("effort", ["low", "xhigh", ""])
def test_the_official_types_take_the_start(effort: str) -> None:
    session = fields(live(live={"backend_effort": effort}), baker(), BRIEF)
    assert judged({"type": "session.start", "event_id": "start-1", "session": session}) == []
    assert ("reasoning" in session["delegation"]["responses"]) is bool(effort)


def test_the_telephones_audio_is_asked_for_with_its_rate() -> None:
    audio = fields(live(), baker())["audio"]
    assert audio == {"format": {"type": "audio/pcmu", "rate": 8000}, "output": {"voice": "cedar"}}


def test_model_voice_and_backend_are_the_settings_or_the_agents() -> None:
    config = live(
        realtime={"model": "gpt-live-1.1", "voice": "willow"}, live={"backend_model": "gpt-5.6-luna"}
    )
    session = fields(config, baker())
    assert (session["model"], session["audio"]["output"]["voice"]) == ("gpt-live-1.1", "willow")
    assert session["delegation"]["responses"]["model"] == "gpt-5.6-luna"
    assert fields(config, baker(voice="stone"))["audio"]["output"]["voice"] == "stone"


def test_a_voice_that_gpt_live_forbids_is_refused_in_an_agent_too() -> None:
    with pytest.raises(ConfigError, match="no voice of GPT-Live"):
        fields(live(), baker(voice="nova"))


def test_the_voice_reads_the_agents_text_the_policies_in_order_and_the_brief_last() -> None:
    prompt = fields(live(), baker(), BRIEF)["instructions"]
    parts = [
        "You answer the telephone of a bakery.",
        "Backchannel policy: ",
        "Interruption policy: ",
        "Delegation policy:\nBackend tools:\n- opening_hours: When the bakery is open.\n"
        "- order: Order a bread.\n",
        BRIEF,
    ]
    assert [prompt.count(part) for part in parts] == [1] * len(parts)
    assert [prompt.index(part) for part in parts] == sorted(prompt.index(part) for part in parts)
    assert prompt.endswith(BRIEF)
    assert "only the backend reads" not in prompt


def test_an_empty_policy_leaves_its_paragraph_out() -> None:
    policies = dict.fromkeys(("backchannel_policy", "interruption_policy", "delegation_policy"), "")
    prompt = fields(live(live=policies), baker(), BRIEF)["instructions"]
    assert prompt == f"You answer the telephone of a bakery.\n\n{BRIEF}"


def test_an_agent_without_tools_is_not_to_delegate() -> None:
    session = fields(live(), Agent("You answer."))
    assert "Delegation policy: There are no backend tools." in session["instructions"]
    assert session["delegation"]["responses"]["tools"] == []


def test_the_backend_reads_the_agents_text_or_its_own() -> None:
    config = live()
    responses = fields(config, baker(), BRIEF)["delegation"]["responses"]
    assert responses["instructions"].startswith("You answer the telephone of a bakery.")
    assert "no markup" in responses["instructions"]
    assert responses["instructions"].endswith(BRIEF)
    assert "policy:" not in responses["instructions"]
    own = baker(backend_instructions="Look the bread up.")
    responses = fields(config, own, BRIEF)["delegation"]["responses"]
    assert responses["instructions"].startswith("Look the bread up.")
    assert "bakery" not in responses["instructions"]
    assert fields(config, own)["instructions"].startswith("You answer the telephone of a bakery.")


def test_all_tools_are_there_from_the_start_and_nothing_changes_later() -> None:
    plan = plan_call(live(), baker())
    names = [tool["name"] for tool in plan.session["delegation"]["responses"]["tools"]]
    assert names == ["opening_hours", "order"]
    assert plan.schedule == ()


def test_a_schedule_changes_the_backends_tools() -> None:
    agent = baker(schedule=[{"after_turn": 1, "tools": "full"}])
    plan = plan_call(live(), agent)
    (opening,) = plan.session["delegation"]["responses"]["tools"]
    assert opening["name"] == "opening_hours"
    (update,) = plan.schedule
    assert update.session == tools_update(agent.full_tools())
    assert judged({"type": "session.update", "session": dict(update.session)}) == []


def test_an_agents_schedule_of_eagerness_is_refused() -> None:
    agent = baker(schedule=[{"after_turn": 1, "eagerness": "low"}])
    with pytest.raises(ConfigError, match=r"only tools") as refusal:
        plan_call(live(), agent)
    assert refusal.value.key == "turns.schedule"


def test_what_a_realtime_session_has_and_live_lacks_is_off() -> None:
    plan = plan_call(live(), baker(priming=True))
    assert not plan.priming
    assert plan.renewal.at_age_ms == plan.renewal.refresh_age_ms == 0
    assert not plan.manual_turns
    assert plan.dialect is not None
    assert plan.dialect.value == "live"
    assert not plan.may_switch


def test_half_a_character_is_replaced_in_both_prompts() -> None:
    session = live_session_fields(live(), Agent("A\ud800B"), "C\udfff")
    for text in (session["instructions"], session["delegation"]["responses"]["instructions"]):
        assert text.startswith("A\ufffdB")
        assert text.endswith("C\ufffd")
