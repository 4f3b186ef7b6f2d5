"""Settings of [alarms]: delays in a call that are logged for an operator."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class AlarmsConfig(Section):
    """[alarms]: delays in a call that are logged for an operator."""

    slow_turn_ms: int = setting(2_500, between(0, 60_000), advanced=True)
    """An answer is logged as slow if it is heard this long after the caller's last sound; 0: never."""
    dead_air_ms: int = setting(3_000, between(0, 60_000), advanced=True)
    """Silence is logged as dead air if an answer is due for this long; 0: never."""
