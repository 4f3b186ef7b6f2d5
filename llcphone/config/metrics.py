"""Settings of [metrics]: what an operator watches."""

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
