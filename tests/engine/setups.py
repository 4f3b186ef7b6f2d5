"""What an engine is given in tests: the plans of a plain call, each with what the test wants otherwise.

The classes themselves have no defaults, the settings have. Here stands what is convenient in a dialogue:
nothing optional is on, and the times are round.
"""

from __future__ import annotations

from typing import Any

import attrs

from llcphone.engine.call_setup import (
    AlarmPlan,
    AtLimit,
    CallLimits,
    CallSetup,
    DialPlan,
    EchoPlan,
    GoodbyePlan,
    LivePlan,
    MachinePolicy,
    MoneyPlan,
    RecoveryPlan,
    RenewalPlan,
    RetellingTexts,
    SilencePlan,
    ToolPlan,
    ToolRule,
)
from llcphone.languages import ENGLISH, OWN


def call_limits(**other: Any) -> CallLimits:
    """The engine's own deadlines."""
    plain: dict[str, Any] = {
        "warm_ms": 10_000,
        "join_grace_ms": 4_000,
        "cold_ms": 5_000,
        "token_ms": 60_000,
        "start_ms": 10_000,
        "dead_stream_ms": 10_000,
        "idle_ms": 300_000,
        "max_duration_ms": 3_600_000,
        "goodbye_ms": 4_000,
        "greeting_guard_ms": 700,
        "greeting_guard_max_ms": 3_000,
        "early_audio_ms": 10_000,
        "mark_every_ms": 200,
        "response_wait_ms": 3_000,
    }
    return CallLimits(**plain | other)


def renewal_plan(**other: Any) -> RenewalPlan:
    """A session is replaced after 55 minutes, and never refreshed."""
    plain: dict[str, Any] = {
        "at_age_ms": 3_300_000,
        "margin_ms": 300_000,
        "quiet_ms": 500,
        "most_tries": 5,
        "refresh_age_ms": 0,
        "keep_turns": 6,
        "summary": True,
        "summary_wait_ms": 5_000,
    }
    return RenewalPlan(**plain | other)


def echo_plan(**other: Any) -> EchoPlan:
    """Nothing is doubted, nothing muted."""
    return EchoPlan(**{"mute_ms": 0, "after_ms": 0, "answer": True} | other)


def silence_plan(**other: Any) -> SilencePlan:
    """Silence is left to the idle limit."""
    plain: dict[str, Any] = {
        "after_ms": 0,
        "prompts": 2,
        "prompt_cue": "The caller has been silent for a while. Ask in one short sentence if they are there.",
        "goodbye_cue": "The caller does not answer. Say a short good-bye; the call ends after it.",
        "manual": False,
    }
    return SilencePlan(**plain | other)


def tool_rule(name: str, timeout_ms: int, **other: Any) -> ToolRule:
    """A tool that ends with the model's patience."""
    plain: dict[str, Any] = {"goes_on": False, "deliver": False, "irreversible": False}
    return ToolRule(name, timeout_ms, **plain | other)


def tool_plan(rules: tuple[ToolRule, ...] = (), **other: Any) -> ToolPlan:
    """Tools are waited for without a sound."""
    plain: dict[str, Any] = {"filler_after_ms": 0, "filler_every_ms": 8_000, "filler": ()}
    return ToolPlan(rules, **plain | other)


def retelling_texts() -> RetellingTexts:
    """The English sentences."""
    return RetellingTexts(**{each.name: ENGLISH[OWN + each.name] for each in attrs.fields(RetellingTexts)})


def recovery_plan(**other: Any) -> RecoveryPlan:
    """A lost model is replaced, in silence."""
    plain: dict[str, Any] = {
        "enabled": True,
        "limit_ms": 8_000,
        "most": 3,
        "stall_ms": 4_000,
        "spread": (),
        "filler_after_ms": 400,
        "filler_every_ms": 6_000,
        "filler": (),
        "apology": (),
        "texts": retelling_texts(),
    }
    return RecoveryPlan(**plain | other)


def alarm_plan(**other: Any) -> AlarmPlan:
    """No alarms."""
    return AlarmPlan(**{"slow_turn_ms": 0, "dead_air_ms": 0} | other)


def money_plan(**other: Any) -> MoneyPlan:
    """No prices, no budget."""
    plain: dict[str, Any] = {
        "rates": None,
        "budget_usd": 0.0,
        "at_limit": AtLimit.GOODBYE,
        "goodbye_cue": "Time is up. Say one short good-bye now and ask nothing.",
        "grace_ms": 20_000,
        "spent_usd": 0.0,
    }
    return MoneyPlan(**plain | other)


def goodbye_plan(**other: Any) -> GoodbyePlan:
    """A good-bye in the agent's own words."""
    cue = "This line must close in a few seconds. Say one short good-bye now and ask nothing."
    return GoodbyePlan(**{"goodbye_cue": cue, "apology": ()} | other)


def dial_plan(**other: Any) -> DialPlan:
    """Somebody is rung when the model is ready; machines are hung up on."""
    plain: dict[str, Any] = {
        "at_once": False,
        "no_callback_ms": 90_000,
        "turn_ms": 0,
        "join_ms": 20_000,
        "machine": MachinePolicy.HANG_UP,
        "message_cue": "You have reached an answering machine. Leave a short message now, then say good-bye.",
        "message": (),
        "patience_ms": 0,
    }
    return DialPlan(**plain | other)


def live_plan(**other: Any) -> LivePlan:
    """A session of the Live API."""
    plain: dict[str, Any] = {
        "feed_every_ms": 200,
        "cushion_ms": 160,
        "dead_ms": 2_000,
        "greeting_again_ms": 2_500,
        "quiet_ms": 700,
    }
    return LivePlan(**plain | other)


def call_setup(**other: Any) -> CallSetup:
    """A call that rings us, greeted by an agent without tools."""
    plain: dict[str, Any] = {
        "session": {},
        "call_sid": "",
        "greets": True,
        "greeting_cue": "Greet the caller.",
        "pad_ms": 0,
        "priming": False,
        "schedule": (),
        "tools": frozenset(),
        "silent_tools": frozenset(),
        "tool_plan": tool_plan(),
        "dialect": None,
        "may_switch": True,
        "elsewhere": (),
        "endpoints_down": (),
        "recovery": recovery_plan(),
        "money": money_plan(),
        "goodbye": goodbye_plan(),
        "alarms": alarm_plan(),
        "renewal": renewal_plan(),
        "dial": None,
        "resumed": None,
        "create_response": True,
        "interrupt_response": True,
        "echo": echo_plan(),
        "silence": silence_plan(),
        "limits": call_limits(),
        "live": None,
    }
    return CallSetup(**plain | other)
