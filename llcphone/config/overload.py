"""The section about calls beyond our strength: [overload], when they are refused and what callers hear."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import WEB_ADDRESS_OR_EMPTY
from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class OverloadConfig(Section):
    """[overload]: when a new call is turned away besides `server.max_calls`, and what the caller gets."""

    lag_limit_ms: int = setting(40, between(0, 10_000), advanced=True)
    """No new call while the process repeatedly wakes up this late, or five times as late if other processes
    cause it; 0: no check. The default keeps the audio of live calls even."""
    busy_message: str = setting("")
    """What Twilio says to callers who are turned away; "": a busy tone, which costs nothing."""
    redirect_url: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True)
    """Public URL of another llcphone of the same account, to which Twilio sends such callers; "": none."""
