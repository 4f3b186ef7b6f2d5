"""The money of a call as the engine's plain data: the prices of each endpoint's model, and the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.call_setup import AtLimit, MoneyPlan
from llcphone.errors import ConfigError
from llcphone.price_lists import price_list

if TYPE_CHECKING:
    from llcphone.config import Config
    from llcphone.config.live import LiveConfig
    from llcphone.config.realtime import RealtimeConfig
    from llcphone.prices import PriceList, Rates


def endpoint_rates(config: Config) -> tuple[Rates | None, ...]:
    """The prices of each of ``config.endpoints``; None: its model has none.

    Raises:
        ConfigError: the price list cannot be read, or a budget is set and a model has no price.
    """
    money = config.money
    prices = price_list(money.price_file)
    found = tuple(_rates(prices, realtime, config.live) for realtime in config.endpoints)
    for key in ("call_budget_usd", "day_budget_usd"):
        if None in found and getattr(money, key):
            live = " or live.backend_model" * (config.realtime.protocol == "live")
            models = f"realtime.model{live}" if found[0] is None else "another endpoint's model"
            why = f"cannot be kept: the price list of {prices.date} has no price for {models}"
            raise ConfigError(f"money.{key}", why, "write one into a file and name it in money.price_file")
    return found


def money_plan(config: Config, rates: Rates | None, *, spent_usd: float = 0.0) -> MoneyPlan:
    """By which prices a call is billed, and what it may cost.

    Args:
        config: the settings; the agent's own values take precedence.
        rates: those of the first endpoint.
        spent_usd: what older runs of the call have cost.
    """
    money = config.money
    minute_usd = price_list(money.price_file).minute_usd(config.realtime.model) or 0.0
    return MoneyPlan(
        rates=rates,
        budget_usd=money.call_budget_usd,
        at_limit=AtLimit(money.at_call_budget),
        goodbye_cue=config.agent.goodbye_cue,
        grace_ms=round(money.grace_s * 1000),
        spent_usd=spent_usd,
        minute_usd=minute_usd,
    )


def _rates(prices: PriceList, realtime: RealtimeConfig, live: LiveConfig) -> Rates | None:
    """What tokens cost; with GPT-Live those of the backend. None: a model has no price."""
    if realtime.protocol == "realtime":
        return prices.rates(realtime.model)
    return None if prices.minute_usd(realtime.model) is None else prices.rates(live.backend_model)
