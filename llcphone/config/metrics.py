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
    """Address of the private port. It has no authentication, so do not expose it to other machines."""
    port: int = setting(0, between(0, 65_535))
    """Private port with /metrics, /healthz and /readyz; 0: none."""
    traces_url: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True)
    """OTLP/HTTP collector that receives traces, such as http://127.0.0.1:4318; "": none. It needs
    llcphone[otel]."""


@frozen(kw_only=True)
class AlarmsConfig(Section):
    """[alarms]: delays in a call that are logged for an operator."""

    slow_turn_ms: int = setting(2_500, between(0, 60_000), advanced=True)
    """An answer is logged as slow if it is heard this long after the caller's last sound; 0: never."""
    dead_air_ms: int = setting(3_000, between(0, 60_000), advanced=True)
    """Silence is logged as dead air if an answer is due for this long; 0: never."""
