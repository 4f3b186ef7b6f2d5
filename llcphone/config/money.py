# ruff: noqa: RUF009  (setting() declares an attrs field; ruff sees a call in a default)
"""The section about what calls cost; `config` says how sections are read."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import Section, between, setting

AtCallBudget = Literal["goodbye", "hang_up", "note"]


@frozen(kw_only=True)
class MoneyConfig(Section):
    """[money]: what the model's tokens may cost."""

    price_file: str = setting("")
    """Price list in TOML, US$ per million tokens; "" is the shipped one, which says its date."""
    call_budget_usd: float = setting(0.0, between(0.0, 10_000.0))
    """Estimated cost at which a call is ended, noticed between two answers; 0 is no limit."""
    at_call_budget: AtCallBudget = setting("goodbye")
    """Then: "goodbye" has the agent say one, "hang_up" ends after what is being said, "note" only tells."""
    grace_s: float = setting(20.0, between(1.0, 300.0))
    """Longest time from there to the end of the call, should the caller go on talking."""
    day_budget_usd: float = setting(0.0, between(0.0, 1_000_000.0))
    """Estimated cost per day (UTC) of all calls of this process, after which no call is let in; 0 is none."""
    state_file: str = setting("")
    """File that remembers the day's cost across restarts; "" forgets it."""
