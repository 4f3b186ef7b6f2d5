"""Twilio's REST API on Trio: dial, hang up, look up, numbers, text messages.

``orders`` are the values and errors that cross this room's border, ``http`` carries the requests of
the official ``twilio`` package, ``rest`` says which of them may be repeated.
"""

from __future__ import annotations

from llcphone.carrier.orders import (
    Amd,
    CallState,
    CarrierError,
    CreateRefused,
    CreateUnknown,
    DialOrder,
    NumberSettings,
)
from llcphone.carrier.rest import Carrier, open_carrier

__all__ = [
    "Amd",
    "CallState",
    "Carrier",
    "CarrierError",
    "CreateRefused",
    "CreateUnknown",
    "DialOrder",
    "NumberSettings",
    "open_carrier",
]
