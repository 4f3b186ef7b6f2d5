"""Settings of [wire]: the two WebSockets of a call."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import Section, setting


@frozen(kw_only=True)
class WireConfig(Section):
    """[wire]: the two WebSockets of a call."""

    model: Literal["fast", "trio-websocket"] = setting("fast", advanced=True)
    """Implementation of the model's WebSocket. "fast" is llcphone's own; only it has the measured speed."""
    phone: Literal["fast", "quart"] = setting("fast", advanced=True)
    """Implementation of the phone's WebSocket; "quart" passes /media/<token> to quart-trio."""
    ca_file: str = setting("", advanced=True)
    """PEM file of certificate authorities that are trusted besides the system's, for a self-hosted model;
    "" adds none."""
