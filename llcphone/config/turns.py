"""The sections about who may speak when, beyond turn detection, [turns] and [silence].

`config` says how sections are read.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from llcphone.config.fields import NOT_EMPTY, Rule, Section, between, setting
from llcphone.languages import ENGLISH

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


@frozen(kw_only=True)
class TurnsConfig(Section):
    """[turns]: what changes from turn to turn, and what counts as a barge-in."""

    schedule: tuple[dict[str, Any], ...] = setting((), SCHEDULE)
    """Session updates by answered turns; empty: all tools after 0, realtime.eagerness_after after 1."""
    barge_in_after_ms: int = setting(0, between(0, 5_000))
    """Speech over the agent must last so long to stop it; shorter is dropped as its echo. 0 stops at once."""
    echo_mute_ms: int = setting(0, between(0, 3_000))
    """Caller audio held back at the beginning of each stretch of agent audio, while echo cancellers adapt."""


@frozen(kw_only=True)
class SilenceConfig(Section):
    """[silence]: what happens when nobody speaks."""

    after_s: float = setting(0.0, between(0.0, 600.0))
    """Silence after the agent was heard until it asks whether the caller is there; 0 never asks."""
    prompts: int = setting(2, between(0, 20))
    """How often it asks in a row; the next silence brings the good-bye, and hangs up."""
    cue: str = setting(ENGLISH["silence.cue"], NOT_EMPTY, private=True)
    """Text of the system item that makes it ask; it is never spoken itself."""
    manual: bool = setting(False)
    """Also with realtime.turn_detection "none", where no event says that the caller speaks."""
