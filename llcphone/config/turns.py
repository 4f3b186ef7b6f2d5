"""Settings of [turns]: who may speak when, beyond turn detection."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from llcphone.config.fields import Rule, Section, between, setting

_EAGERNESS = {"low", "medium", "high", "auto"}


def _number(low: float, high: float, *kinds: type) -> Rule:
    return Rule("", lambda value: type(value) in kinds and low <= value <= high)


_KEYS = {
    "after_turn": _number(0, 1_000, int),
    "eagerness": Rule("", lambda value: value in _EAGERNESS if isinstance(value, str) else False),
    "tools": Rule(
        "",
        lambda value: (
            (isinstance(value, str) and bool(value))
            or (isinstance(value, list | tuple) and all(isinstance(each, str) for each in value))
        ),
    ),
    "vad_threshold": _number(0.0, 1.0, int, float),
    "vad_silence_ms": _number(0, 10_000, int),
    "vad_prefix_ms": _number(0, 5_000, int),
}


def is_schedule(steps: Any) -> bool:
    """Whether these are steps of a schedule: tables of the keys above, each with its ``after_turn``."""
    return isinstance(steps, list | tuple) and all(
        isinstance(step, dict)
        and "after_turn" in step
        and len(step) > 1
        and all(key in _KEYS and _KEYS[key].holds(value) for key, value in step.items())
        for step in steps
    )


SCHEDULE = Rule(
    "a list of tables, each with after_turn (0 is the first response, the greeting too) and any of "
    "eagerness, tools, vad_threshold, vad_silence_ms, vad_prefix_ms",
    is_schedule,
)

ONLY_TOOLS = (
    'changes more than tools, which has no meaning with realtime.protocol = "live": only tools can change'
)


@frozen(kw_only=True)
class TurnsConfig(Section):
    """[turns]: what changes from turn to turn, and what counts as a barge-in."""

    schedule: tuple[dict[str, Any], ...] = setting((), SCHEDULE, advanced=True)
    """Session updates by answered turns. Empty: all tools after 0, `realtime.eagerness_after` after 1."""
    barge_in_after_ms: int = setting(0, between(0, 5_000))
    """How long the caller must speak over the agent to stop it; 0: it stops at once. Shorter speech is
    dropped as an echo. The default suits phones that cancel echoes."""
    echo_mute_ms: int = setting(0, between(0, 3_000), advanced=True)
    """Caller audio that is dropped at the start of each stretch of agent audio, while echo cancellers adapt;
    0: none."""
