"""The section about calls beyond our strength: [overload], when they are refused and what callers hear."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import WEB_ADDRESS_OR_EMPTY
from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class OverloadConfig(Section):
    """[overload]: besides `server.max_calls`, when a new call gets the fallback, and which that is."""

    lag_limit_ms: int = setting(40, between(0, 10_000))
    """No new call while the process wakes up so much too late, again and again, or five times as much when it
    is not its own work that makes it late; 0 does not look."""
    cpu_limit_percent: int = setting(0, between(0, 100))
    """No new call while the calls' thread uses so much of its core; 0 does not look, as lateness tells."""
    busy_message: str = setting("")
    """What Twilio says to callers we cannot take; "" is a busy tone, which costs nothing."""
    redirect_url: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True)
    """Public URL of another llcphone of the same account, which is asked to take them; "" is none."""
