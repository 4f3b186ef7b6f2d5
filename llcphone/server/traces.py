"""Traces of a served phone, when ``metrics.traces_url`` says where they go."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from llcphone.config.metrics import MetricsConfig
    from llcphone.phone.ports import PhonePort


@asynccontextmanager
async def open_traces(phone: PhonePort, settings: MetricsConfig) -> AsyncIterator[None]:
    """Send spans of this phone's calls until the block is left.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    if not settings.traces_url:
        yield
        return
    async with _exporter()(phone, settings.traces_url):
        yield


def need_traces(settings: MetricsConfig) -> None:
    """See that spans can be sent, if they are to be.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    if settings.traces_url:
        _exporter()


def _exporter() -> Callable[[PhonePort, str], AbstractAsyncContextManager[None]]:
    try:
        from llcphone.telemetry.otlp import open_otlp
    except ModuleNotFoundError as error:
        fix = 'pip install "llcphone[otel]", or set it to ""'
        raise ConfigError("metrics.traces_url", "needs OpenTelemetry", fix) from error
    return open_otlp
