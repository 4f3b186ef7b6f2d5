"""Calls of ours: the half of the phone that rings people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.agent import Agent
from llcphone.call.call import Call
from llcphone.dtmf import check_keys
from llcphone.errors import ConfigError, NotAdmitted
from llcphone.twilio import twiml
from llcphone.validation.arguments import need
from llcphone.validation.phone_numbers import respelt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.config import Config
    from llcphone.phone.dialler import Dialler
    from llcphone.phone.moved_calls import MovedCalls


class Placing:
    """Places calls; ``Phone`` is the other half, and lets them begin."""

    config: Config
    dialler: Dialler | None
    """Rings people; None when ``twilio.account_sid`` is not set."""
    moved_calls: MovedCalls
    """Calls whose stream is followed by another."""
    if TYPE_CHECKING:
        _begin: Callable[..., None]

        def _closed(self) -> list[str]: ...
        def choose(self, form: Mapping[str, str]) -> Agent: ...

    def place_call(
        self,
        to: str,
        agent: Agent | None = None,
        *,
        context: str = "",
        caller_id: str = "",
        send_digits: str = "",
    ) -> Call:
        """Ring somebody. Returns at once; await the call for its record.

        Args:
            to: whom to ring, in E.164.
            agent: who speaks; None: the phone's own agent.
            context: what this call is about; it stands last in the prompt, so that the static part
                is cached.
            caller_id: one of our own numbers; empty: the first of them.
            send_digits: keys Twilio presses when somebody answers; no machine detection then.

        Raises:
            DialRefused: the guard refuses the call (``.code`` and ``.why`` say which rule).
            NotAdmitted: draining, at ``server.max_calls``, or no model can be had.
            NoAgent: the function that chooses the agent has failed.
            ConfigError: what is needed to place calls is not set.
            ValueError: ``send_digits`` are no keys (see ``tones``).
        """
        texts = {"to": to, "context": context, "caller_id": caller_id, "send_digits": send_digits}
        for name, text in texts.items():
            need(text, str, f"place_call: {name}", "a text")
        need(agent, (Agent, type(None)), "place_call: agent", "an Agent, or None for the phone's own")
        dialler = self._need_dialler()
        if send_digits:
            check_keys(send_digits)
        if closed := self._closed():
            raise NotAdmitted(closed[0])
        own = dialler.guard.own_numbers
        to = respelt(to)
        call = Call(caller=caller_id or (own[0] if own else ""), dialled=to, direction="outbound")
        call.first_digits = send_digits
        agent = agent or self.choose({"From": call.caller, "To": to, "Direction": "outbound-api"})
        self._begin(call, agent, dialler=dialler, context=context)
        return call

    def answer_placed(self, token: str, form: Mapping[str, str]) -> str:
        """Twilio asks what a call of ours shall hear, once or again; returns the TwiML."""
        call = None if self.dialler is None else self.dialler.answered(token, form)
        if call is not None:
            return self.moved_calls.document(call)
        return self.moved_calls.back(form) or twiml.hang_up()

    def ring_colleague(self, call: Call, agent: Agent, context: str) -> None:
        """Ring a number of our own settings, for a warm transfer; raises as ``place_call`` does."""
        dialler = self._need_dialler()
        if closed := self._closed():
            raise NotAdmitted(closed[0])
        self._begin(call, agent, dialler=dialler, context=context, trusted=True)

    def _need_dialler(self) -> Dialler:
        if self.dialler is None:
            raise ConfigError("twilio.account_sid", "needed to place calls; set TWILIO_ACCOUNT_SID")
        if not self.config.server.public_url:
            raise ConfigError("server.public_url", "needed to tell Twilio where the media stream goes")
        return self.dialler
