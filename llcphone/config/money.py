"""The section about what calls cost; `config` says how sections are read."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import Section, between, setting

AtCallBudget = Literal["goodbye", "hang_up", "note"]


@frozen(kw_only=True)
class MoneyConfig(Section):
    """[money]: what the model's tokens may cost."""

    price_file: str = setting("", advanced=True)
    """Price list in TOML, US$ per million tokens; "": the shipped list, which states its date."""
    call_budget_usd: float = setting(0.0, between(0.0, 10_000.0))
    """Estimated cost at which a call is ended, checked between answers; 0: no limit."""
    at_call_budget: AtCallBudget = setting("goodbye")
    """What happens then: "goodbye" the agent says good-bye, "hang_up" the call ends after the current answer,
    "note" it is only logged."""
    grace_s: float = setting(20.0, between(1.0, 300.0), advanced=True)
    """Longest time from there to the end of the call, even if the caller keeps talking."""
    day_budget_usd: float = setting(0.0, between(0.0, 1_000_000.0))
    """Estimated cost in one day (UTC) of the calls of this process, or of all that share `shared.url`, after
    which no call is accepted; 0: no limit."""
    state_file: str = setting("", advanced=True)
    """File that keeps the day's cost across restarts; "": a restart begins at 0. Processes that share
    `shared.url` keep it in that database instead."""
