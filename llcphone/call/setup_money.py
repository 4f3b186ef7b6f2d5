"""What a call may cost and when it counts as slow: the configuration, made into the engine's plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.call_setup import AlarmPlan, AtLimit, MoneyPlan
from llcphone.errors import ConfigError
from llcphone.price_lists import price_list

if TYPE_CHECKING:
    from llcphone.config import Config


def money_plan(config: Config, *, spent_usd: float = 0.0) -> MoneyPlan:
    """By which prices a call is billed, and what it may cost; ``spent_usd``: what its older runs have cost.

    Raises:
        ConfigError: the price list cannot be read, or a budget is set and the model has no price.
    """
    money = config.money
    prices = price_list(money.price_file)
    rates = prices.rates(config.realtime.model)
    for key in ("call_budget_usd", "day_budget_usd"):
        if rates is None and getattr(money, key):
            why = f"cannot be kept: the price list of {prices.date} has no price for realtime.model"
            raise ConfigError(f"money.{key}", why, "write one into a file and name it in money.price_file")
    return MoneyPlan(
        rates=rates,
        budget_usd=money.call_budget_usd,
        at_limit=AtLimit(money.at_call_budget),
        goodbye_cue=config.agent.goodbye_cue,
        grace_ms=round(money.grace_s * 1000),
        spent_usd=spent_usd,
    )


def alarm_plan(config: Config) -> AlarmPlan:
    """Which delays raise an alarm."""
    return AlarmPlan(slow_turn_ms=config.alarms.slow_turn_ms, dead_air_ms=config.alarms.dead_air_ms)
