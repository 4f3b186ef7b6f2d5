"""Settings of [breaker]: new calls are turned away at once while the model's endpoint gives no session."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class BreakerConfig(Section):
    """[breaker]: new calls are turned away at once while the model's endpoint gives no session."""

    failures: int = setting(5, between(0, 1_000), advanced=True)
    """Failed sessions in a row, within 30 s, after which new callers get the fallback at once; 0: never. The
    endpoint is then tried every 5 s, and the first session ends it."""
