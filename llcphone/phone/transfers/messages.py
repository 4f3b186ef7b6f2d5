"""Text messages sent during a call: to the caller, and to destinations.

Destinations come from the settings and are not checked. A caller's number can be forged, so a caller could
choose who gets a message and what it costs. So the dial guard checks this number as it checks a number to
dial, and there are limits per call, per number and per day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.carrier.orders import CarrierError
from llcphone.dial_guard.guard import WHY_NO_TEXT
from llcphone.errors import ConfigError, DialRefused, StoreUnavailable
from llcphone.runtime.log_lines import logger
from llcphone.tools.call_handle import Outcome
from llcphone.validation.phone_numbers import is_number, is_withheld

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.config import Config
    from llcphone.phone.dialler import Dialler
    from llcphone.phone.transfers.transfer import CarrierFor, Transfer

log = logger("llcphone.transfers")

_LONGEST = 1_600
"""Twilio's limit of a text message."""
_SENT = "llcphone.texts"
"""How many went to the person on the line: in the call's ``state``, so the call's next run keeps counting."""


@attrs.define(eq=False)
class TextMessages:
    """The text messages of one phone."""

    _config: Config
    _dialler: Dialler | None
    """Checks a caller's number."""
    _carrier_for: CarrierFor

    @property
    def can_send(self) -> bool:
        """Whether there is a Twilio account."""
        return self._dialler is not None

    async def send(self, call: Call, to: str, text: str) -> Outcome:
        """See ``Call.send_sms``."""
        carrier, ours = self._carrier_for("a text message"), self._config.twilio.phone_number
        if not ours:
            raise ConfigError(
                "twilio.phone_number", "is missing: text messages are sent from it", "set TWILIO_PHONE_NUMBER"
            )
        number = self._number_of(call, to)
        if not is_number(number):
            return Outcome(False, "There is no number to which a text message could be sent.")
        if not text.strip() or len(text) > _LONGEST:
            return Outcome(False, f"A text message has 1 to {_LONGEST} characters.")
        if to == "caller" and (refused := await self._refused(call, number, ours)):
            return Outcome(False, refused)
        try:
            await carrier.send_sms(number, ours, text)
        except CarrierError as exc:
            log.warning("text message not sent", extra={"call": call.call_id, "code": exc.code})
            return Outcome(False, "The text message could not be sent.")
        return Outcome(True, "The text message is on its way.")

    async def tell(self, transfer: Transfer) -> None:
        """The colleague reads what it is about before the telephone rings, if Twilio is fast."""
        who = transfer.call.dialled if transfer.call.direction == "outbound" else transfer.call.caller
        company = self._config.company
        who = company.sentence("text_withheld") if is_withheld(who) else who
        summary = transfer.summary or company.sentence("text_no_summary")
        text = company.sentence("text_call").format(caller=who, summary=summary)
        try:
            await self.send(transfer.call, transfer.to, text[:_LONGEST])
        except ConfigError as exc:  # a number of ours is missing: no transfer fails for it
            log.warning("text message not sent", extra={"call": transfer.call.call_id, "key": exc.key})

    def _number_of(self, call: Call, to: str) -> str:
        if to == "caller":
            return call.dialled if call.direction == "outbound" else call.caller
        destination = self._config.transfers.destination(to)
        return "" if destination is None else destination.number

    async def _refused(self, call: Call, number: str, ours: str) -> str:
        """Why no text message may go to the person on the line; empty: it may, and counts from now on."""
        assert self._dialler is not None  # there is a carrier
        sent = int(call.state.get(_SENT, 0))
        try:
            await self._dialler.admit_text(number, ours, sent)
        except StoreUnavailable as exc:
            log.error("text message refused: its limits are not known", extra={"error": exc.why})
            return "No text message can be sent right now."
        except DialRefused as exc:
            log.warning("text message refused", extra={"call": call.call_id, "code": exc.code})
            spent = exc.code in WHY_NO_TEXT
            return "No more text messages can be sent." if spent else "No text message may go to this number."
        call.state[_SENT] = sent + 1
        return ""
