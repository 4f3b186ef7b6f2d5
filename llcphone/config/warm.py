"""Settings of [warm]: the pool of model sessions that are connected before a call arrives."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import (
    Section,
    between,
    setting,
)


@frozen(kw_only=True)
class WarmConfig(Section):
    """[warm]: the pool of model sessions that are connected before a call arrives."""

    sessions: int = setting(0, between(0, 1_000))
    """Number of sessions kept ready; 0: no pool. A waiting session costs no tokens."""
    max_age_s: float = setting(900.0, between(1.0, 3_540.0), advanced=True)
    """Age at which a waiting session is replaced. The vendor ends sessions at 60 minutes, so with the default
    a call that takes one has 45 minutes left."""
