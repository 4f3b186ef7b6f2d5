"""The registry: every trial with its bar, and what the model says in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from llcphone.sim.model import CallTool, Pace, Say
from llcphone.torture.rig import FIELD_PACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from llcphone.sim.model.script import Chooser, Scripted, Turn
    from llcphone.torture.judge import Judge
    from llcphone.torture.profile import Profile
    from llcphone.torture.rig import Rig

    Run = Callable[[Rig, Judge], Awaitable[None]]

Need = Literal["signatures", "tokens", "slow_tools"]


@attrs.frozen(kw_only=True)
class Trial:
    """One thing that breaks bridges."""

    name: str
    title: str
    bar: str
    """What a perfect bridge reaches."""
    run: Run
    script: Callable[[Profile], Scripted]
    pace: Pace = FIELD_PACE
    alone: bool = False
    """It measures load, or makes it: nothing else runs meanwhile."""
    needs: Need | None = None
    """What the profile must name, or the trial does not apply."""
    may_end: bool = False
    """The bridge's process ends in it, as it should."""
    limit_s: float = 60.0


TRIALS: dict[str, Trial] = {}
"""All of them, by name."""


def trial(
    name: str, title: str, bar: str, script: Callable[[Profile], Scripted], **more: Any
) -> Callable[[Run], Run]:
    """Enter a function in the registry; see `Trial`."""

    def enter(run: Run) -> Run:
        TRIALS[name] = Trial(name=name, title=title, bar=bar, run=run, script=script, **more)
        return run

    return enter


# -- what the model says ----------------------------------------------------------------------------------

GREETING = Say("Good morning.", 600)


def caller_turns(items: Sequence[dict[str, Any]]) -> int:
    """How often the caller has spoken, by the model's conversation; the cue of a greeting is no turn."""
    return sum(
        part["type"] == "input_audio"
        for item in items
        if item.get("role") == "user"
        for part in item["content"]
    )


def answers(*turns: Turn) -> Callable[[Profile], Chooser]:
    """A greeting, then one answer for each turn of the caller, the last again and again."""

    def make(_: Profile) -> Chooser:
        def reply(number: int, items: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Turn:
            spoken = caller_turns(items)
            return turns[min(spoken, len(turns)) - 1] if spoken else GREETING

        return reply

    return make


def tool_answers(profile: Profile, count: int, first: Sequence[Say], meanwhile: Say) -> Chooser:
    """The first answer calls this many slow tools; the second is of the turn that comes meanwhile."""
    calls = [CallTool(name, profile.tool_arguments) for name in profile.slow_tools[:count]]

    def reply(number: int, items: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Turn:
        if items and items[-1].get("type") == "function_call_output":
            return Say("This is what I found.", 800)
        if not (spoken := caller_turns(items)):
            return GREETING
        return [*first, *calls] if spoken == 1 else meanwhile

    return reply
