"""The sections about what an operator watches, [metrics] and [alarms].

`config` says how sections are read.
"""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import HOST, WEB_ADDRESS_OR_EMPTY
from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class MetricsConfig(Section):
    """[metrics]: figures for Prometheus on a private port, and traces for OpenTelemetry."""

    host: str = setting("127.0.0.1", HOST)
    """Address of the private port. It asks nobody who they are, so no other machine should reach it."""
    port: int = setting(0, between(0, 65_535))
    """Private port with /metrics, /healthz and /readyz; 0 is none."""
    traces_url: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True)
    """Where spans go, an OTLP/HTTP collector: http://127.0.0.1:4318; "" sends none. Needs the extra otel."""


@frozen(kw_only=True)
class AlarmsConfig(Section):
    """[alarms]: delays in a call that are logged for an operator."""

    slow_turn_ms: int = setting(2_500, between(0, 60_000))
    """An answer that is heard this long after the caller's last sound is logged as slow; 0 logs none."""
    dead_air_ms: int = setting(3_000, between(0, 60_000))
    """Silence while an answer is due that is logged as dead air; 0 logs none."""
