"""The turns of a call as the engine's plain data: schedule, echo guard, silence.

A schedule is a list of steps, from ``turns.schedule`` or from the agent:

    {"after_turn": 0, "tools": "full"}          after the first response, the greeting included
    {"after_turn": 1, "eagerness": "medium"}    after the first answer to the caller
    {"after_turn": 3, "tools": "booking", "eagerness": "low"}

``tools`` is ``lean``, ``full``, ``none``, a group of the agent's ``tool_groups``, or a list of names.
Detection settings add up from step to step, because the server replaces ``turn_detection`` whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.call.live_session import tools_update
from llcphone.call.session_settings import eagerness_update, turn_detection_fields
from llcphone.config.turns import ONLY_TOOLS, SCHEDULE
from llcphone.engine.call_setup import EchoPlan, SilencePlan, TurnUpdate
from llcphone.errors import ConfigError
from llcphone.realtime.profiles import profile_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llcphone.agent import Agent
    from llcphone.config import Config
    from llcphone.config.realtime import RealtimeConfig

_VAD = ("vad_threshold", "vad_silence_ms", "vad_prefix_ms")


def detection(config: Config) -> RealtimeConfig:
    """The ``[realtime]`` section as it is sent to the session.

    Where speech over the agent is doubted the server may neither interrupt nor answer by itself.

    Raises:
        ConfigError: the endpoint cannot leave both to us.
    """
    realtime, profile = config.realtime, profile_of(config.realtime)
    if realtime.turn_detection == "semantic_vad" and not profile.semantic_vad:
        realtime = attrs.evolve(realtime, turn_detection="server_vad")
    if not echo_plan(config).after_ms:
        return realtime
    if profile.name == "xai":
        why = "xAI always answers and interrupts by itself, so speech cannot be doubted"
        raise ConfigError("turns.barge_in_after_ms", why, "set it to 0")
    return attrs.evolve(realtime, create_response=False, interrupt_response=False)


def echo_plan(config: Config) -> EchoPlan:
    """What of the caller's side may be the agent's own voice."""
    realtime, turns = config.realtime, config.turns
    stops = realtime.turn_detection != "none" and realtime.interrupt_response
    return EchoPlan(
        mute_ms=turns.echo_mute_ms,
        after_ms=turns.barge_in_after_ms if stops else 0,
        answer=realtime.create_response,
    )


def silence_plan(config: Config) -> SilencePlan:
    """What happens in silence."""
    silence = config.silence
    return SilencePlan(
        after_ms=round(silence.after_s * 1000),
        prompts=silence.prompts,
        prompt_cue=silence.cue,
        goodbye_cue=config.agent.goodbye_cue,
        manual=silence.manual,
    )


def turn_updates(config: Config, agent: Agent) -> tuple[TurnUpdate, ...]:
    """All session updates of a call, by the turn after which each is due.

    Raises:
        ConfigError: a step names a tool that the agent lacks, or what the turn detection does not take.
    """
    steps: Sequence[Mapping[str, Any]] = agent.schedule or config.turns.schedule
    if not SCHEDULE.holds(steps):
        raise ConfigError("turns.schedule", "has a wrong value", f"set it to {SCHEDULE.wants}")
    if config.realtime.protocol == "live":
        return tuple(_live_updates(steps, agent))
    return tuple(_updates(steps or _usual(detection(config), agent), detection(config), agent))


def _live_updates(steps: Sequence[Mapping[str, Any]], agent: Agent) -> Iterable[TurnUpdate]:
    """With GPT-Live only the backend's tools can change."""
    for step in sorted(steps, key=lambda step: step["after_turn"]):
        if step.keys() != {"after_turn", "tools"}:
            raise ConfigError("turns.schedule", ONLY_TOOLS, "keep only after_turn and tools")
        yield TurnUpdate(step["after_turn"], "tools", tools_update(_tools(step["tools"], agent)))


def _usual(realtime: RealtimeConfig, agent: Agent) -> list[dict[str, Any]]:
    """The usual schedule, which has steps only where something changes."""
    steps: list[dict[str, Any]] = []
    if len(agent.full_tools()) != len(agent.lean_tools()):
        steps.append({"after_turn": 0, "tools": "full"})
    if realtime.turn_detection == "semantic_vad" and realtime.eagerness_after != realtime.eagerness:
        steps.append({"after_turn": 1, "eagerness": realtime.eagerness_after})
    return steps


def _updates(
    steps: Iterable[Mapping[str, Any]], realtime: RealtimeConfig, agent: Agent
) -> Iterable[TurnUpdate]:
    eagerness = realtime.eagerness
    for step in sorted(steps, key=lambda step: step["after_turn"]):
        turn = step["after_turn"]
        if "tools" in step:
            yield TurnUpdate(turn, "tools", {"tools": _tools(step["tools"], agent)})
        vad = {name: step[name] for name in _VAD if name in step}
        if vad:
            if realtime.turn_detection != "server_vad":
                raise ConfigError(
                    "turns.schedule",
                    "vad_ keys need server_vad",
                    'set realtime.turn_detection = "server_vad"',
                )
            realtime = attrs.evolve(realtime, **vad)
            yield TurnUpdate(turn, "vad", {"turn_detection": turn_detection_fields(realtime, eagerness)})
        if "eagerness" in step:
            if realtime.turn_detection != "semantic_vad":
                raise ConfigError(
                    "turns.schedule",
                    "eagerness needs semantic_vad",
                    'set realtime.turn_detection = "semantic_vad"',
                )
            eagerness = step["eagerness"]
            yield TurnUpdate(turn, "eagerness", eagerness_update(realtime, eagerness))


def _tools(which: str | Sequence[str], agent: Agent) -> list[dict[str, Any]]:
    match which:
        case "lean":
            return agent.lean_tools()
        case "full":
            return agent.full_tools()
        case "none":
            return []
        case str():
            if which not in agent.tool_groups:
                raise ConfigError(
                    "turns.schedule",
                    f"tools {which!r}: the agent has no such group",
                    "use lean, full, none or a group of the agent",
                )
            which = agent.tool_groups[which]
    for name in which:
        if name not in agent.tools:
            raise ConfigError(
                "turns.schedule", f"tools: the agent has no tool {name!r}", "name tools that the agent has"
            )
    return [dict(agent.tools[name].schema) for name in which]
