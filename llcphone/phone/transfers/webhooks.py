"""Twilio's questions about a caller who has left: nobody answered, a colleague listens, a message is left.

Each may come twice, late, or to another process than the one that let the caller go; the answer must then
be the same, or at least lead somewhere. What is decided here is decided by our own knowledge first (was the
key pressed, did the colleague enter the room) and by Twilio's ``DialCallStatus`` where we know nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.config.transfers import HANG_UP, VOICEMAIL
from llcphone.phone.transfers.transfer import Transfer, Way, news_of
from llcphone.runtime.log_lines import logger
from llcphone.twilio import twiml, twiml_transfer
from llcphone.twilio.forms import in_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.phone.transfers.transfers import Transfers

log = logger("llcphone.transfers")

_REACHED = frozenset({"completed", "answered"})


class TransferWebhooks:
    """What Twilio is told at ``/transfer/<generation>/<destination>/<token>/<step>``."""

    def __init__(self, desk: Transfers) -> None:
        self._desk = desk
        self._company = desk.phone.config.company
        self._steps = {
            "done": self._done,
            "back": self._back,
            "pressed": self._pressed,
            "whisper": self._whisper,
            "accept": self._accept,
            "room": self._room,
            "left": self._left,
        }

    async def ask(
        self, step: str, generation: int, to: str, token: str, form: Mapping[str, str]
    ) -> str | None:
        """The document for this step; None: there is no such step."""
        answer = self._steps.get(step)
        return None if answer is None else await answer(form, generation, to, self._desk.known(token))

    # -- the caller's leg ------------------------------------------------------------------------

    async def _done(self, form: Mapping[str, str], generation: int, to: str, away: Transfer | None) -> str:
        """A ``<Dial>`` is over: the two have talked, or nobody was there."""
        if not in_progress(form):
            if away is not None:
                self.caller_gone(away)
            self._call_is_over(form)
            return twiml.nothing()
        status = form.get("DialCallStatus", "")
        if status in _REACHED and self._were_joined(form, to, away):
            if away is not None:
                self._desk.forget(away)
            self._call_is_over(form)
            return twiml.hang_up()
        return await self.back(form, generation, to, away, "declined" if status in _REACHED else status)

    def _were_joined(self, form: Mapping[str, str], to: str, away: Transfer | None) -> bool:
        if away is not None and away.way is Way.WARM:
            return away.joined or away.joining
        destination = self._desk.config.destination(to)
        if away is not None and destination is not None and destination.accept:
            return away.accepted
        return form.get("DialBridged", "true") != "false"

    async def _back(self, form: Mapping[str, str], generation: int, to: str, away: Transfer | None) -> str:
        """A warm transfer came to nothing, so we have asked Twilio to ask here."""
        return await self.back(form, generation, to, away, form.get("why", "failed"))

    async def _pressed(self, form: Mapping[str, str], generation: int, to: str, away: Transfer | None) -> str:
        pressed = self._company.sentence("keys_pressed")
        return await self._to_agent(form, generation, away, pressed, speak=False) or self._goodbye(form, away)

    async def back(
        self, form: Mapping[str, str], generation: int, to: str, away: Transfer | None, why: str
    ) -> str:
        """Nobody took the call: back to the agent, to voicemail, or good-bye."""
        destination, config = self._desk.config.destination(to), self._desk.config
        otherwise: str = "agent" if destination is None else destination.on_no_answer
        if away is not None and away.fallback:
            otherwise = VOICEMAIL if config.voicemail and otherwise != HANG_UP else HANG_UP
        log.info("transfer came to nothing", extra={"to": to, "why": why, "otherwise": otherwise})
        if otherwise == "agent":
            news = news_of(self._company, to, why, "" if away is None else away.refused)
            if text := await self._to_agent(form, generation, away, news):
                return text
            otherwise = VOICEMAIL if config.voicemail else HANG_UP
        if otherwise == VOICEMAIL:
            return self.voicemail(generation)
        return self._goodbye(form, away)

    async def _to_agent(
        self,
        form: Mapping[str, str],
        generation: int,
        away: Transfer | None,
        news: str,
        *,
        speak: bool = True,
    ) -> str:
        """A new run of the call, with its memory; empty: it cannot be had.

        Twilio says that the call is in progress, so a run that ended by a ``stop`` meanwhile was moved
        here, by a redirection that came twice, and did not hang up.
        """
        phone, call_sid = self._desk.phone, form.get("CallSid", "")
        runs = [call for call in phone.calls() if call_sid and call.call_sid == call_sid]
        for call in runs:
            if call.generation > generation and not call.run.over:
                return phone.moved_calls.document(call)  # asked twice
        text = ""
        if phone.resumption is not None:
            text = await phone.resumption.come_back(form, generation, news, speak=speak)
            runs = [call for call in phone.calls() if call_sid and call.call_sid == call_sid]
            if away is not None and text:
                away.back = max(runs, key=lambda call: call.generation, default=None)
        if text or away is None or phone.closing:
            return text
        resumed = self._desk.resumed(away, news, speak=speak)
        if resumed is not None:
            away.back = self._desk.resume(away, resumed)
            text = away.back.twiml
        return text

    def _goodbye(self, form: Mapping[str, str], away: Transfer | None) -> str:
        """Nobody can take this caller: say so, and hang up."""
        if away is not None:
            self._desk.forget(away)
        self._call_is_over(form)
        return self._last_words(self._desk.config.unavailable_message)

    def caller_gone(self, away: Transfer) -> None:
        """The caller has hung up: nobody is to be rung or briefed for them any more."""
        if not away.gone:
            away.gone = True
            away.kept = None  # nobody comes back
            self._desk.briefings.caller_gone(away)

    def _call_is_over(self, form: Mapping[str, str]) -> None:
        if self._desk.phone.resumption is not None:
            self._desk.phone.resumption.is_over(form.get("CallSid", ""))

    # -- the colleague's leg ---------------------------------------------------------------------

    async def _whisper(self, form: Mapping[str, str], generation: int, to: str, away: Transfer | None) -> str:
        destination = self._desk.config.destination(to)
        if destination is None:
            return twiml.hang_up()
        summary = "" if away is None else away.summary
        text = destination.whisper.replace("{summary}", summary).strip()
        accept = self._desk.url(away, "accept") if away is not None and destination.accept else ""
        return twiml_transfer.whisper(
            text, accept=accept, prompt=self._desk.config.accept_prompt, speech=self._desk.speech
        )

    async def _accept(self, form: Mapping[str, str], generation: int, to: str, away: Transfer | None) -> str:
        if away is None or not form.get("Digits"):
            return twiml.hang_up()
        away.accepted = True
        return twiml.nothing()  # an empty document joins the two

    async def _left(self, form: Mapping[str, str], generation: int, to: str, away: Transfer | None) -> str:
        """The colleague's place in the room has ended, perhaps before it began."""
        if away is not None and away.way is Way.JOIN:
            self._desk.briefings.left(away)
        self._call_is_over(form)
        return twiml.hang_up()

    async def _room(self, form: Mapping[str, str], generation: int, to: str, away: Transfer | None) -> str:
        """Who enters and leaves the room of a warm transfer; ``away`` is the caller's."""
        if away is None or away.way is not Way.WARM:
            return twiml.nothing()
        is_caller = form.get("CallSid") == away.call.call_sid
        match form.get("StatusCallbackEvent"):
            case "participant-leave" if is_caller and not (away.joined or away.joining or away.returning):
                self.caller_gone(away)
            case "participant-join" if not is_caller and away.gone:
                self._desk.briefings.alone(form.get("CallSid", ""))
            case "participant-join" if not is_caller:
                away.joined = True
        return twiml.nothing()

    # -- voicemail -------------------------------------------------------------------------------

    def voicemail(self, generation: int) -> str:
        """Ask for a message."""
        config, base = self._desk.config, self._desk.phone.config.server.public_url
        return twiml_transfer.voicemail(
            config.voicemail_greeting,
            action=f"{base}/voicemail/recorded",
            recording=f"{base}/recording/voicemail",
            limit_s=config.voicemail_limit_s,
            speech=self._desk.speech,
        )

    def recorded(self, form: Mapping[str, str]) -> str:
        """A message was left."""
        self._call_is_over(form)
        return self._last_words(self._desk.config.voicemail_thanks) if in_progress(form) else twiml.nothing()

    def too_late(self) -> str:
        """For a colleague whose caller has hung up meanwhile."""
        return self._last_words(self._desk.config.caller_gone_message)

    def _last_words(self, text: str) -> str:
        return twiml_transfer.say_and_hang_up(text, self._desk.speech)
