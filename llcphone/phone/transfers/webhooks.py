"""Twilio's requests about a caller who has left: no answer, a colleague listens, a message is left.

Each request may come twice, late, or to another process than the one that began the transfer. The answer must
then be the same, or at least be useful. It depends first on what this process knows (was the key pressed, did
the colleague enter the room), and otherwise on Twilio's ``DialCallStatus``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.call import node_names
from llcphone.config.transfers import HANG_UP, VOICEMAIL
from llcphone.engine.resumed import Owed
from llcphone.phone.transfers.transfer import Transfer, Way, news_of
from llcphone.runtime.log_lines import logger
from llcphone.twilio import twiml, twiml_transfer
from llcphone.twilio.forms import in_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.config import Config
    from llcphone.phone.admission import Admission
    from llcphone.phone.calls import LiveCalls
    from llcphone.phone.moved_calls import MovedCalls
    from llcphone.phone.resumption import CallResumption
    from llcphone.phone.runs import CallRuns
    from llcphone.phone.transfers.registry import TransferRegistry
    from llcphone.phone.transfers.warm_transfer import WarmTransfers
    from llcphone.twilio.twiml import Speech

log = logger("llcphone.transfers")

_ASKED = frozenset({"done", "back", "accept"})
"""Steps after which the caller is connected, has hung up, or has been taken back."""
_REACHED = frozenset({"completed", "answered"})


@attrs.frozen
class Question:
    """Twilio asks what next."""

    form: Mapping[str, str] = attrs.field(repr=False)
    run_number: int
    """Of the run that let the caller go."""
    to: str
    """The destination's name."""
    transfer: Transfer | None
    """What is known here; another process may have begun it."""


@attrs.define(eq=False)
class TransferWebhooks:
    """What Twilio receives from ``/transfer/<token>/<run_number>/<destination>/<step>``."""

    _config: Config
    _registry: TransferRegistry
    _warm: WarmTransfers
    _calls: LiveCalls
    _admission: Admission
    _runs: CallRuns
    _moved_calls: MovedCalls
    _resumption: CallResumption | None
    _speech: Speech

    async def ask(
        self, step: str, run_number: int, to: str, token: str, form: Mapping[str, str]
    ) -> str | None:
        """The document for this step; None: there is no such step."""
        answer = {
            "done": self._done,
            "back": self._back,
            "pressed": self._pressed,
            "whisper": self._whisper,
            "accept": self._accept,
            "room": self._room,
            "left": self._left,
        }.get(step)
        transfer = self._registry.known(token)
        if transfer is not None and step in _ASKED:
            transfer.awaited_until = 0.0
        return None if answer is None else await answer(Question(form, run_number, to, transfer))

    # -- the caller's leg ------------------------------------------------------------------------

    async def _done(self, asked: Question) -> str:
        """A ``<Dial>`` is over: the two have talked, or there was no answer."""
        transfer = asked.transfer
        if not in_progress(asked.form):
            if transfer is not None:
                self._warm.caller_gone(transfer)
            self._call_is_over(asked.form)
            return twiml.nothing()
        status = asked.form.get("DialCallStatus", "")
        if status in _REACHED and self._were_joined(asked):
            if transfer is not None:
                self._registry.forget(transfer)
            self._call_is_over(asked.form)
            return twiml.hang_up()
        return await self.back(asked, "declined" if status in _REACHED else status)

    def _were_joined(self, asked: Question) -> bool:
        transfer = asked.transfer
        if transfer is not None and transfer.way is Way.WARM:
            return transfer.joined or transfer.joining
        destination = self._config.transfers.destination(asked.to)
        if transfer is not None and destination is not None and destination.accept:
            return transfer.accepted
        return asked.form.get("DialBridged", "true") != "false"

    async def _back(self, asked: Question) -> str:
        """A warm transfer came to nothing, so we have asked Twilio to ask here."""
        return await self.back(asked, asked.form.get("why", "failed"))

    async def _pressed(self, asked: Question) -> str:
        pressed = self._config.company.sentence("keys_pressed")
        return await self._to_agent(asked, pressed, speak=False) or self._goodbye(asked)

    async def back(self, asked: Question, why: str) -> str:
        """No colleague accepted: back to the agent, to voicemail, or good-bye."""
        transfer = asked.transfer
        config = self._config.transfers
        destination = config.destination(asked.to)
        otherwise: str = "agent" if destination is None else destination.on_no_answer
        if transfer is not None and transfer.fallback:
            otherwise = VOICEMAIL if config.voicemail and otherwise != HANG_UP else HANG_UP
        log.info("transfer came to nothing", extra={"to": asked.to, "why": why, "otherwise": otherwise})
        if otherwise == "agent":
            news = news_of(self._config.company, asked.to, why, "" if transfer is None else transfer.refused)
            if text := await self._to_agent(asked, news):
                return text
            otherwise = VOICEMAIL if config.voicemail else HANG_UP
        if otherwise == VOICEMAIL:
            return self.voicemail()
        return self._goodbye(asked)

    async def _to_agent(self, asked: Question, news: str, *, speak: bool = True) -> str:
        """A new run of the call, with its memory; empty: it cannot be had.

        Twilio says that the call is in progress, so a run that ended by a ``stop`` meanwhile was moved
        here, by a redirection that came twice, and did not hang up.
        """
        transfer = asked.transfer
        call_sid = asked.form.get("CallSid", "")
        here = self._calls.newest_run(call_sid)
        if here is not None and here.run_number > asked.run_number:
            return self._moved_calls.document(here)  # asked twice
        text = ""
        if self._resumption is not None:
            text = await self._resumption.come_back(asked.form, asked.run_number, news, speak=speak)
            if transfer is not None and text:
                runs = self._calls.runs_of(call_sid)
                transfer.back = max(runs, key=lambda call: call.run_number, default=None)
        if text or transfer is None or transfer.kept is None or self._admission.closing:
            return text
        resumed = attrs.evolve(transfer.kept, owed=Owed.NOTHING, news=news, speak=speak)
        old = transfer.call
        transfer.back = (transfer.back or old).following()
        transfer.back.state = old.state
        self._runs.resume(transfer.back, old.run.agent, resumed, context=old.context)
        return transfer.back.twiml

    def _goodbye(self, asked: Question) -> str:
        """No destination is left for this caller: say so, and hang up."""
        if asked.transfer is not None:
            self._registry.forget(asked.transfer)
        self._call_is_over(asked.form)
        return twiml_transfer.say_and_hang_up(self._config.transfers.unavailable_message, self._speech)

    def _call_is_over(self, form: Mapping[str, str]) -> None:
        if self._resumption is not None:
            self._resumption.is_over(form.get("CallSid", ""))

    # -- the colleague's leg ---------------------------------------------------------------------

    async def _whisper(self, asked: Question) -> str:
        transfer = asked.transfer
        destination = self._config.transfers.destination(asked.to)
        if destination is None:
            return twiml.hang_up()
        summary = "" if transfer is None else transfer.summary
        text = destination.whisper.replace("{summary}", summary).strip()
        accept = self._registry.url(transfer, "accept") if transfer is not None and destination.accept else ""
        return twiml_transfer.whisper(
            text, accept=accept, prompt=self._config.transfers.accept_prompt, speech=self._speech
        )

    async def _accept(self, asked: Question) -> str:
        transfer = asked.transfer
        if transfer is None or not asked.form.get("Digits"):
            return twiml.hang_up()
        transfer.accepted = True
        return twiml.nothing()  # an empty document joins the two

    async def _left(self, asked: Question) -> str:
        """The colleague's place in the room has ended, perhaps before it began."""
        transfer = asked.transfer
        if transfer is not None and transfer.way is Way.JOIN:
            self._warm.left(transfer)
        self._call_is_over(asked.form)
        return twiml.hang_up()

    async def _room(self, asked: Question) -> str:
        """Participants enter and leave the room of a warm transfer; ``transfer`` is the caller's."""
        transfer = asked.transfer
        if transfer is None or transfer.way is not Way.WARM:
            return twiml.nothing()
        is_caller = asked.form.get("CallSid") == transfer.call.call_sid
        match asked.form.get("StatusCallbackEvent"):
            case "participant-leave" if is_caller and not (
                transfer.joined or transfer.joining or transfer.returning
            ):
                self._warm.caller_gone(transfer)
            case "participant-join" if not is_caller and transfer.gone:
                self._warm.alone(asked.form.get("CallSid", ""))
            case "participant-join" if not is_caller:
                transfer.joined = True
        return twiml.nothing()

    # -- voicemail -------------------------------------------------------------------------------

    def voicemail(self) -> str:
        """Ask for a message."""
        config, server = self._config.transfers, self._config.server
        return twiml_transfer.voicemail(
            config.voicemail_greeting,
            action=node_names.at_node(f"{server.public_url}/voicemail/recorded", server.node),
            recording=node_names.at_node(f"{server.public_url}/recording/voicemail", server.node),
            limit_s=config.voicemail_limit_s,
            speech=self._speech,
        )

    def recorded(self, form: Mapping[str, str]) -> str:
        """A message was left."""
        self._call_is_over(form)
        if not in_progress(form):
            return twiml.nothing()
        return twiml_transfer.say_and_hang_up(self._config.transfers.voicemail_thanks, self._speech)
