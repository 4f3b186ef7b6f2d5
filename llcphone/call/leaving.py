"""How a call is asked to go elsewhere: what the phone provides and ``Call`` hands on.

The state of a transfer outlives the call's run, so it is the phone's (``llcphone.phone.transfers``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.tools.outcome import Outcome


class Switchboard(Protocol):
    """What a call asks of the phone; each raises ConfigError when a setting it needs is missing."""

    async def transfer(self, call: Call, name: str, *, summary: str, warm: bool | None) -> Outcome: ...
    def voicemail(self, call: Call) -> Outcome: ...
    async def send_sms(self, call: Call, to: str, text: str) -> Outcome: ...
    def send_digits(self, call: Call, digits: str) -> None: ...
