"""What calls ask for: transfers, voicemail, text messages, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.config.transfers import VOICEMAIL
from llcphone.dtmf import check_keys, tones_of
from llcphone.engine.events import DigitsAsked
from llcphone.errors import ConfigError
from llcphone.phone.transfers.transfer import RUNG, Transfer, Way
from llcphone.tools.call_handle import Outcome

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.config.transfers import TransfersConfig
    from llcphone.phone.transfers.messages import TextMessages
    from llcphone.phone.transfers.registry import TransferRegistry
    from llcphone.phone.transfers.transfer import CarrierFor

_LONGEST_SUMMARY = 1_000
_MOST_RINGS = 3
"""How often one destination is rung for one telephone call."""
_TOO_LATE = Outcome(False, "The call is ending, or has not begun: it cannot be put through.")


@attrs.define(eq=False)
class TransferRequests:
    """Answers them at once, with an outcome that the model can pass on to its caller."""

    _config: TransfersConfig
    _registry: TransferRegistry
    _messages: TextMessages
    _carrier_for: CarrierFor

    def transfer(self, call: Call, name: str, *, summary: str, warm: bool | None, announce: bool) -> Outcome:
        """See ``Call.transfer``; ``announce``: the agent has not asked for it, and is to say so first."""
        names = self._config.destinations
        if not names:
            raise ConfigError(
                "transfers.destinations", "is empty", "name there to whom a call may be transferred"
            )
        to = self._config.destination(name)
        if to is None:
            return Outcome(False, f"There is no such destination. There are: {', '.join(names)}.")
        if call.state.get(RUNG, {}).get(name, 0) >= _MOST_RINGS:
            return Outcome(False, "They were rung too often in this call. Offer to take a message.")
        way = Way.WARM if (to.kind == "warm" if warm is None else warm) else Way.DIAL
        if way is Way.WARM or to.sms:
            self._carrier_for("a warm transfer" if way is Way.WARM else "a text message")
        says = "Say in one short sentence that you put them through now; it happens when you have finished."
        if way is Way.WARM:
            says += (
                " They hear music while you speak to the colleague, and come back if the call is not taken."
            )
        transfer = Transfer(call, way, name, summary=summary[:_LONGEST_SUMMARY])
        if not self._registry.request(transfer, says if announce else ""):
            return _TOO_LATE
        return Outcome(True, says)

    def voicemail(self, call: Call) -> Outcome:
        """See ``Call.voicemail``."""
        if not self._config.voicemail:
            raise ConfigError("transfers.voicemail", "is off", "set it to true to let callers leave messages")
        if not self._registry.request(Transfer(call, Way.VOICEMAIL, VOICEMAIL)):
            return _TOO_LATE
        return Outcome(True, "Say in one short sentence that they can leave a message after the tone.")

    async def send_sms(self, call: Call, to: str, text: str) -> Outcome:
        """See ``Call.send_sms``."""
        return await self._messages.send(call, to, text)

    def send_digits(self, call: Call, digits: str) -> None:
        """See ``Call.send_digits``."""
        check_keys(digits)
        if self._config.digits == "tones":
            call.run.step(DigitsAsked(tones_of(digits)))
        else:
            self._registry.request(Transfer(call, Way.KEYS, "keys", digits=digits))
