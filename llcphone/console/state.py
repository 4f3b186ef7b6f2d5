"""What the pages begin with: who one is here, what runs, and how well it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

import llcphone
from llcphone.agent import agents_of
from llcphone.server.health import PROCESS

if TYPE_CHECKING:
    from llcphone.console.access import Session
    from llcphone.console.console import Console
    from llcphone.phone.phone import Phone


def state_of(console: Console, session: Session) -> dict[str, Any]:
    """The snapshot that a page takes before it follows events with a higher ``seq``."""
    config, phone = console.config, console.phone
    return {
        "process": PROCESS,
        "version": llcphone.__version__,
        "mode": console.mode,
        "model": {
            "kind": "simulated" if console.simulated else "real",
            "text": console.model,
        },
        "agents": [] if phone is None else list(agents_of(phone.agent)),
        "act": session.act,
        "phone": session.phone and "line" in console.sockets,
        "live": "live" in console.sockets,
        "words": config.words,
        "numbers": config.numbers,
        "audio": config.audio,
        "drain": console.operations.drain is not None,
        "health": {} if phone is None else health_of(phone),
    }


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
        "breaker_open": phone.breaker.is_open,
        "turned_away": sum(phone.admission.turned_away.values()),
        "usd_today": round(phone.day_budget.today_usd, 4),
        "usd_budget": phone.config.money.day_budget_usd,
    }
