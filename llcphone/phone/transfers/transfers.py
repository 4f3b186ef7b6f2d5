"""What calls ask for, and what is known of callers who have left.

A wish is kept until the call's engine says that the agent's last word was heard (``over``); a caller who
speaks before that takes it back. Then the conversation is kept, for whoever comes back, until the
telephone call is over. Everything here happens in memory and without waiting, but for REST requests, which
run as tasks of the phone and are bounded by the carrier.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.call.call import Call
from llcphone.config.transfers import HANG_UP, VOICEMAIL
from llcphone.dtmf import check_keys, tones_of
from llcphone.engine.events import DigitsAsked, EndReason, HangUpAsked
from llcphone.engine.notes import TransferPutOff
from llcphone.engine.resumed import Owed, Resumed
from llcphone.errors import ConfigError
from llcphone.phone.transfers.messages import TextMessages
from llcphone.phone.transfers.recordings import Recordings
from llcphone.phone.transfers.transfer import Transfer, Way, caller_id
from llcphone.phone.transfers.warm_transfer import WarmTransfers
from llcphone.phone.transfers.webhooks import TransferWebhooks
from llcphone.runtime.containment import contained
from llcphone.runtime.log_lines import logger
from llcphone.tools.outcome import Outcome
from llcphone.twilio import twiml, twiml_transfer
from llcphone.twilio.forms import in_progress
from llcphone.validation.phone_numbers import identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.agent import Agent
    from llcphone.carrier import Carrier
    from llcphone.config.transfers import Destination
    from llcphone.engine.notes import Note
    from llcphone.phone.phone import Phone

log = logger("llcphone.transfers")

_REMEMBERED = 2_000
"""Callers who left of whom we know without a journal."""
_TWICE_S = 30.0
"""So late nothing that was asked once is asked again."""
_LONGEST_SUMMARY = 1_000
_MOST_RINGS = 3
"""How often one destination is rung for one telephone call."""
_RUNG = "llcphone.rung"
"""How often each was, in the call's ``state``: it goes on counting in the call's next run."""

_WITHOUT_MODEL = frozenset({EndReason.MODEL_LOST, EndReason.MODEL_REFUSED, EndReason.MODEL_UNREACHABLE})
_LEAVES_ALL_THE_SAME = _WITHOUT_MODEL | {EndReason.PHONE_LOST, EndReason.STREAM_DEAD}
"""Ends that are none of the caller's: who was to be transferred still is."""


class Transfers:
    """The phone's switchboard."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.config = phone.config.transfers
        self.speech = twiml.Speech(phone.config.twilio.say_language, phone.config.twilio.say_voice)
        self.recordings = Recordings(phone.config, self.speech)
        self.answers = TransferWebhooks(self)
        self.briefings = WarmTransfers(self)
        self.texts = TextMessages(self)
        self._wanted: dict[Call, Transfer] = {}
        self._by_token: OrderedDict[str, Transfer] = OrderedDict()
        self._by_run: dict[tuple[str, int], Transfer] = {}
        self._check_destinations()
        phone.observers.append(self._noted)
        phone.on_end.append(self._ended)

    def _check_destinations(self) -> None:
        """A caller who is sent to a number that we answer ourselves would come back to us without end."""
        config = self.phone.config
        answered = {identity(each) for each in (config.twilio.phone_number, *config.routes.table) if each}
        for name in self.config.destinations:
            if (to := self.config.destination(name)) is not None and identity(to.number) in answered:
                raise ConfigError(f"transfers.destinations.{name}", "is a number that we answer ourselves")

    # -- what calls ask for (``call.leaving.Switchboard``) ---------------------------------------

    async def transfer(self, call: Call, name: str, *, summary: str, warm: bool | None) -> Outcome:
        """See ``Call.transfer``."""
        await trio.lowlevel.checkpoint()
        if not self.config.destinations:
            raise ConfigError(
                "transfers.destinations", "is empty: name there to whom a call may be transferred"
            )
        to = self.config.destination(name)
        if to is None:
            return Outcome(
                False, f"There is no such destination. There are: {', '.join(self.config.destinations)}."
            )
        if call.state.get(_RUNG, {}).get(name, 0) >= _MOST_RINGS:
            return Outcome(False, "They were rung too often in this call. Offer to take a message.")
        way = Way.WARM if (to.kind == "warm" if warm is None else warm) else Way.DIAL
        if way is Way.WARM or to.sms:
            self.carrier("a warm transfer" if way is Way.WARM else "a text message")
        if not self.want(Transfer(call, way, name, summary=summary[:_LONGEST_SUMMARY])):
            return _TOO_LATE
        says = "Say in one short sentence that you put them through now; it happens when you have finished."
        if way is Way.WARM:
            says += (
                " They hear music while you speak to the colleague, and come back if nobody takes the call."
            )
        return Outcome(True, says)

    def voicemail(self, call: Call) -> Outcome:
        """See ``Call.voicemail``."""
        if not self.config.voicemail:
            raise ConfigError("transfers.voicemail", "is off: set it to true to let callers leave messages")
        if not self.want(Transfer(call, Way.VOICEMAIL, VOICEMAIL)):
            return _TOO_LATE
        return Outcome(True, "Say in one short sentence that they can leave a message after the tone.")

    async def send_sms(self, call: Call, to: str, text: str) -> Outcome:
        """See ``Call.send_sms``."""
        return await self.texts.send(call, to, text)

    def send_digits(self, call: Call, digits: str) -> None:
        """See ``Call.send_digits``."""
        check_keys(digits)
        if self.config.digits == "tones":
            call.run.step(DigitsAsked(tones_of(digits)))
        else:
            self.want(Transfer(call, Way.KEYS, "keys", digits=digits))

    def carrier(self, purpose: str) -> Carrier:
        """The way to Twilio's REST API.

        Raises:
            ConfigError: there is no account.
        """
        if self.phone.dialler is None:
            key = "account_sid" if not self.phone.config.twilio.account_sid else "auth_token"
            raise ConfigError(f"twilio.{key}", f"is missing: {purpose} needs it")
        return self.phone.dialler.carrier

    def want(self, away: Transfer) -> bool:
        """Let a caller leave once the agent's last word was heard; False: there is no caller."""
        call = away.call
        if call.run.over or call.run.status.started_ms is None or not call.call_sid:
            return False
        self._wanted[call] = away
        call.run.step(HangUpAsked(EndReason.TRANSFERRED))
        return True

    # -- what the phone tells --------------------------------------------------------------------

    def _noted(self, call: Call, note: Note) -> None:
        if isinstance(note, TransferPutOff):  # the caller spoke: the model has to ask again
            self._wanted.pop(call, None)

    def over(self, call: Call, reason: EndReason) -> None:
        """A run has ended; its sockets are still open, so Twilio has not asked yet."""
        away = self._wanted.pop(call, None)
        if reason is not EndReason.TRANSFERRED and reason not in _LEAVES_ALL_THE_SAME:
            return
        if away is None:
            away = self._fallback(call) if reason in _WITHOUT_MODEL else None
        if away is None or not call.call_sid:
            return
        self.keep(away)
        with contained() as failure:
            away.kept = call.run.kept()
        if failure.error is not None:  # an engine that broke may be in any state: then there is no way back
            fields = {"call": call.call_id, "errors": failure.kinds}
            log.warning("a conversation is not kept", extra=fields)
        destination = self.config.destination(away.to)
        if destination is not None and not away.fallback:
            rung = call.state.get(_RUNG, {})
            call.state[_RUNG] = {**rung, away.to: rung.get(away.to, 0) + 1}
        if destination is not None and destination.sms and self.phone.dialler is not None:
            self.phone.start_task(self.texts.tell, away, name="text message")
        log.info("caller leaves", extra={"call": call.call_id, "way": away.way.value, "to": away.to})

    def _fallback(self, call: Call) -> Transfer | None:
        """Where callers go for want of a model; not colleagues, for whom somebody waits."""
        way = self.config.fallback
        if way == HANG_UP or self.briefings.is_briefing(call):
            return None
        return Transfer(call, Way.VOICEMAIL if way == VOICEMAIL else Way.DIAL, way, fallback=True)

    def keep(self, away: Transfer) -> None:
        """Remember who has left."""
        self._by_token[away.token] = away
        self._by_run[away.call.call_sid, away.call.generation] = away
        while len(self._by_token) > _REMEMBERED:
            self.forget(next(iter(self._by_token.values())))

    def forget(self, away: Transfer) -> None:
        """The telephone call is over, or with others for good."""
        self._by_token.pop(away.token, None)
        run = (away.call.call_sid, away.call.generation)
        if self._by_run.get(run) is away:
            del self._by_run[run]

    def known(self, token: str) -> Transfer | None:
        """Who left with this token; None too after a restart."""
        return self._by_token.get(token)

    def leaves(self, call: Call) -> bool:
        """Whether the telephone call goes on although this run of it has ended."""
        return (call.call_sid, call.generation) in self._by_run

    def has_left(self, call_sid: str, generation: int) -> bool:
        """Whether `after_stream` has an answer for this run: its caller leaves, or has left."""
        run = (call_sid, generation)
        leaving = any((call.call_sid, call.generation) == run for call in self._wanted)
        return leaving or run in self._by_run or self.briefings.taken_back(call_sid)

    def destination_of(self, call: Call) -> str:
        """The name of what the caller of this run has left for; empty: nothing."""
        away = self._by_run.get((call.call_sid, call.generation))
        return away.to if away is not None and away.call is call else ""

    def _ended(self, call: Call) -> None:
        self._wanted.pop(call, None)
        self.briefings.ended(call)
        if call.generation and call.record is not None and call.record.duration_s > _TWICE_S:
            for run in range(call.generation):  # they came back, and nobody asks for that any more
                if (away := self._by_run.get((call.call_sid, run))) is not None:
                    self.forget(away)

    # -- Twilio asks what next -------------------------------------------------------------------

    async def after_stream(self, form: Mapping[str, str], generation: int) -> str | None:
        """The stream of this generation has ended; None: it was no leave."""
        sid = form.get("CallSid", "")
        live = next(
            (call for call in self._wanted if (call.call_sid, call.generation) == (sid, generation)), None
        )
        if live is not None and in_progress(form):
            live.end(EndReason.TRANSFERRED)  # Twilio knows before we do that the stream is gone
        away = self._by_run.get((sid, generation))
        if away is None:
            return twiml.hang_up() if self.briefings.taken_back(sid) else None
        if not in_progress(form):
            if away.way is Way.JOIN:
                self.briefings.never_came(away)
            else:
                self.answers.caller_gone(away)
            return twiml.nothing()
        if not away.answer:
            away.answer = self._leave(away)
        return away.answer or await self.answers.back(form, generation, away.to, away, "failed")

    def _leave(self, away: Transfer) -> str:
        """How they leave; empty: they cannot."""
        match away.way:
            case Way.VOICEMAIL:
                return self.answers.voicemail(away.call.generation)
            case Way.KEYS:
                return twiml_transfer.press(away.digits, then=self.url(away, "pressed"))
            case Way.JOIN:
                return self.briefings.join(away)
            case Way.WARM:
                return self.briefings.begin(away)
            case _:
                destination = self.config.destination(away.to)
                return "" if destination is None else self._dial(away, destination)

    def _dial(self, away: Transfer, to: Destination) -> str:
        whispered = to.whisper or to.accept
        return twiml_transfer.dial(
            to.number,
            action=self.url(away, "done"),
            timeout_s=to.timeout_s,
            caller_id=caller_id(away.call, to, self.phone.config.own_numbers),
            whisper=self.url(away, "whisper") if whispered else "",
        )

    def url(self, away: Transfer, step: str) -> str:
        """Where Twilio asks about this leave."""
        base = self.phone.config.server.public_url
        return f"{base}/transfer/{away.call.generation}/{away.to}/{away.token}/{step}"

    def action_url(self, generation: int) -> str | None:
        """Where Twilio asks what next, for a phone without a journal; None: nothing could come next."""
        return (
            f"{self.phone.config.server.public_url}/resume/{generation}#rc=2&rp=all"
            if self.config.any
            else None
        )

    def recorded_from(self, call: Call) -> twiml.Recorded | None:
        """How Twilio records this call from its beginning; None: not at all, or it does already."""
        begun = call.generation > 0 or self.briefings.is_briefing(call)
        return None if begun else self.recordings.of_call()

    def instead_of_busy(self, form: Mapping[str, str]) -> str | None:
        """The fallback of a new call that is not let in; None: a busy tone."""
        call = Call.of_webhook(form)
        away = self._fallback(call) if call.call_sid else None
        if away is None:
            return None
        self.keep(away)
        away.answer = self._leave(away)
        return away.answer

    # -- going on here, without a journal --------------------------------------------------------

    def resume(self, away: Transfer, resumed: Resumed) -> Call:
        """The caller is back: a new run of their call."""
        old = away.call
        call = (away.back or old).following()
        call.state = old.state
        self.phone.resume(call, self._agent_of(old), resumed, context=old.context)
        return call

    def resumed(self, away: Transfer | None, news: str, *, speak: bool = True) -> Resumed | None:
        """What the next run goes on from; None: it is not known here."""
        if away is None or away.kept is None:
            return None
        return attrs.evolve(away.kept, owed=Owed.NOTHING, news=news, speak=speak)

    @staticmethod
    def _agent_of(call: Call) -> Agent:
        return call.run.agent


_TOO_LATE = Outcome(False, "The call is ending, or has not begun: it cannot be put through.")
