"""What the engine knows of one endpoint of the model before a call begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.prices import Rates
    from llcphone.realtime.dialects import Dialect


@attrs.frozen
class EndpointPlan:
    """What the sessions of one endpoint are opened with, and what they cost."""

    session: Mapping[str, Any]
    """The opening ``session.update`` in flat names."""
    dialect: Dialect | None
    """None: unknown yet."""
    may_switch: bool
    """Dialect ``auto``: a refusal of flat turns to GA once."""
    rates: Rates | None
    """None: the model has no price, so the cost is unknown."""
