"""The section about what the process tells of itself; `config` says how sections are read."""

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
