"""What a voice webhook's form says of its call, read in one way by everybody who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Direction = Literal["inbound", "outbound"]

_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


def direction_of(form: Mapping[str, str]) -> Direction:
    """Who rang whom: ``outbound-api`` and ``outbound-dial`` are calls to a person, whose number is ``To``."""
    return "outbound" if form.get("Direction", "").startswith("outbound") else "inbound"


def in_progress(form: Mapping[str, str]) -> bool:
    """Twilio says that the caller is on the line, at the moment of this request."""
    return form.get("CallStatus") == "in-progress"


def is_over(form: Mapping[str, str]) -> bool:
    """Twilio says that the call has ended."""
    return form.get("CallStatus") in _OVER
