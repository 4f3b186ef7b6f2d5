"""Callers who leave, and Twilio's first question: what next, now that the media stream has ended?

When a run ends by a transfer, the conversation is kept until the telephone call is over, in case the caller
comes back. Everything here happens in memory and without waiting, except text messages: these are tasks of
the phone and are bounded by the carrier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.call.call import Call
from llcphone.config.transfers import HANG_UP, VOICEMAIL
from llcphone.engine.events import EndReason
from llcphone.errors import ConfigError
from llcphone.phone.transfers.transfer import RUNG, Transfer, Way, caller_id, is_briefing
from llcphone.phone.transfers.webhooks import Question
from llcphone.runtime.containment import contained
from llcphone.runtime.log_lines import logger
from llcphone.twilio import twiml, twiml_transfer
from llcphone.twilio.forms import in_progress
from llcphone.validation.phone_numbers import identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.config import Config
    from llcphone.config.transfers import Destination
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.transfers.messages import TextMessages
    from llcphone.phone.transfers.recordings import Recordings
    from llcphone.phone.transfers.registry import TransferRegistry
    from llcphone.phone.transfers.warm_transfer import WarmTransfers
    from llcphone.phone.transfers.webhooks import TransferWebhooks

log = logger("llcphone.transfers")

_TWICE_S = 30.0
"""Twilio repeats no request after this time."""

_WITHOUT_MODEL = frozenset({EndReason.MODEL_LOST, EndReason.MODEL_REFUSED, EndReason.MODEL_UNREACHABLE})
_LEAVES_ALL_THE_SAME = _WITHOUT_MODEL | {EndReason.PHONE_LOST, EndReason.STREAM_DEAD}
"""Ends that the caller did not cause: a transfer that was requested is still carried out."""


def check_destinations(config: Config) -> None:
    """Refuse destinations that we answer ourselves: a caller would come back to us without end.

    Raises:
        ConfigError: a destination is one of the numbers that we answer.
    """
    answered = {identity(each) for each in (config.twilio.phone_number, *config.routes.table) if each}
    for name in config.transfers.destinations:
        to = config.transfers.destination(name)
        if to is not None and identity(to.number) in answered:
            raise ConfigError(
                f"transfers.destinations.{name}",
                "is a number that llcphone answers",
                "use a number that a person answers",
            )


@attrs.define(eq=False)
class Transfers:
    """Lets callers go, and answers Twilio when it asks where to."""

    _config: Config
    _registry: TransferRegistry
    _calls: LiveCalls
    _messages: TextMessages
    _warm: WarmTransfers
    webhooks: TransferWebhooks
    recordings: Recordings

    # -- events of calls --------------------------------------------------------------------------

    def over(self, call: Call, reason: EndReason) -> None:
        """A run has ended; its sockets are still open, so Twilio has not asked yet."""
        transfer = self._registry.take_request(call)
        if reason is not EndReason.TRANSFERRED and reason not in _LEAVES_ALL_THE_SAME:
            return
        if transfer is None:
            transfer = self._fallback(call) if reason in _WITHOUT_MODEL else None
        if transfer is None or not call.call_sid:
            return
        self._registry.keep(transfer)
        with contained() as failure:
            transfer.kept = call.run.kept()
        if failure.error is not None:  # an engine that broke may be in any state: then there is no way back
            fields = {"call": call.call_id, "errors": failure.kinds}
            log.warning("a conversation is not kept", extra=fields)
        destination = self._config.transfers.destination(transfer.to)
        if destination is not None and not transfer.fallback:
            rung = call.state.get(RUNG, {})
            call.state[RUNG] = {**rung, transfer.to: rung.get(transfer.to, 0) + 1}
        if destination is not None and destination.sms and self._messages.can_send:
            self._calls.start_task(self._messages.tell, transfer, name="text message")
        log.info("caller leaves", extra={"call": call.call_id, "way": transfer.way.value, "to": transfer.to})

    def _fallback(self, call: Call) -> Transfer | None:
        """Where a caller goes if there is no model; None for a colleague, whose caller waits on hold."""
        way = self._config.transfers.fallback
        if way == HANG_UP or is_briefing(call):
            return None
        return Transfer(call, Way.VOICEMAIL if way == VOICEMAIL else Way.DIAL, way, fallback=True)

    def ended(self, call: Call) -> None:
        """A run has its record."""
        self._registry.take_request(call)
        self._warm.ended(call)
        if call.record is not None and call.record.duration_s > _TWICE_S:
            self._registry.forget_before(call)

    def knows(self, token: str) -> bool:
        """Whether a transfer with this token began in this process."""
        return self._registry.known(token) is not None

    def awaited(self) -> bool:
        """Whether a caller's transfer still rings, so that they may have to be taken back."""
        return self._registry.awaited()

    def has_left(self, call_sid: str, run_number: int) -> bool:
        """Whether `after_stream` has an answer for this run: its caller leaves, or has left."""
        leaving = self._registry.requested_by(call_sid, run_number) is not None
        left = self._registry.of_run(call_sid, run_number) is not None
        return leaving or left or self._warm.taken_back(call_sid)

    # -- Twilio asks what next -------------------------------------------------------------------

    async def after_stream(self, form: Mapping[str, str], run_number: int) -> str | None:
        """The stream of this run has ended; None: it was no transfer."""
        call_sid = form.get("CallSid", "")
        live = self._registry.requested_by(call_sid, run_number)
        if live is not None and in_progress(form):
            live.end(EndReason.TRANSFERRED)  # Twilio knows before we do that the stream is gone
        transfer = self._registry.of_run(call_sid, run_number)
        if transfer is None:
            return twiml.hang_up() if self._warm.taken_back(call_sid) else None
        if not in_progress(form):
            if transfer.way is Way.JOIN:
                self._warm.never_came(transfer)
            else:
                self._warm.caller_gone(transfer)
            return twiml.nothing()
        if not transfer.answer:
            transfer.answer = self._begin(transfer)
        if transfer.answer:
            return transfer.answer
        return await self.webhooks.back(Question(form, run_number, transfer.to, transfer), "failed")

    def instead_of_busy(self, form: Mapping[str, str]) -> str | None:
        """The fallback of a new call that is not let in; None: a busy tone."""
        call = Call.of_webhook(form, self._config.server.node)
        transfer = self._fallback(call) if call.call_sid else None
        if transfer is None:
            return None
        self._registry.keep(transfer)
        transfer.answer = self._begin(transfer)
        return transfer.answer

    def _begin(self, transfer: Transfer) -> str:
        """The document that lets the caller go; empty: they cannot."""
        match transfer.way:
            case Way.VOICEMAIL:
                return self.webhooks.voicemail()
            case Way.KEYS:
                return twiml_transfer.press(transfer.digits, then=self._registry.url(transfer, "pressed"))
            case Way.JOIN:
                return self._warm.join(transfer)
            case Way.WARM:
                return self._warm.begin(transfer)
            case _:
                destination = self._config.transfers.destination(transfer.to)
                return "" if destination is None else self._dial(transfer, destination)

    def _dial(self, transfer: Transfer, to: Destination) -> str:
        whispered = to.whisper or to.accept
        self._registry.expect(transfer, to.timeout_s)
        return twiml_transfer.dial(
            to.number,
            action=self._registry.url(transfer, "done"),
            timeout_s=to.timeout_s,
            caller_id=caller_id(transfer.call, to, self._config.own_numbers),
            whisper=self._registry.url(transfer, "whisper") if whispered else "",
        )
