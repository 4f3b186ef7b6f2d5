"""How well a phone is, for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from llcphone.phone.phone import Phone


def health_of(phone: Phone) -> dict[str, Any]:
    """Whether calls are taken, and how much room there is."""
    return {
        "ready": phone.ready(),
        "alive": phone.loop_monitor.reasons(),
        "live": phone.live_calls,
        "most": phone.config.server.max_calls,
        "draining": phone.draining,
        "lag_p99_ms": round(phone.loop_monitor.lag_s() * 1000, 1),
        "warm": attrs.asdict(phone.warm.health),
        "breaker_open": phone.endpoints.is_open,
        "turned_away": sum(phone.admission.turned_away.values()),
        "usd_today": round(phone.day_budget.today_usd, 4),
        "usd_budget": phone.config.money.day_budget_usd,
    }
