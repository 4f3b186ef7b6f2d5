"""The three appends of a Live session: instructions, thinking and commentary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.sim.live.script import exact_words, wants_silence
from llcphone.sim.live.turns import message
from llcphone.sim.model.check import Refused
from llcphone.sim.model.usage import text_tokens

if TYPE_CHECKING:
    from llcphone.sim.live.backend import Backend
    from llcphone.sim.live.clock import Planned
    from llcphone.sim.live.state import LiveState
    from llcphone.sim.live.turns import Turns
    from llcphone.sim.live.voice import Voice

Json = dict[str, Any]


@attrs.define(eq=False)
class Append:
    """A text that the client put into the model's context."""

    kind: str
    """``instructions``, ``thinking`` or ``commentary``."""
    content: str = attrs.field(repr=False)
    event_id: str | None
    delegation_id: str | None
    given_ms: int
    """When it was received, by the session's clock."""
    taken_ms: int | None = None
    """When it was acknowledged; None: not yet."""


@attrs.define(eq=False)
class Appends:
    """Takes appends; each is acknowledged when the clock has gone on for a while."""

    session: LiveState = attrs.field(repr=False)
    voice: Voice = attrs.field(repr=False)
    turns: Turns = attrs.field(repr=False)
    backend: Backend = attrs.field(repr=False)
    all: list[Append] = attrs.field(factory=list)
    """In the order in which they came; refused ones are not among them."""
    _acks: list[Planned] = attrs.field(factory=list, repr=False)

    def take(self, event: Json) -> None:
        """One of the three client events, checked."""
        session = self.session
        if self.voice.fixture is not None:
            raise Refused("fixture_playing", "Context cannot be appended while a fixture plays.")  # our code
        if text_tokens(event["content"]) > session.assumes.append_tokens:
            most = session.assumes.append_tokens
            raise Refused("invalid_value", f"Context append text must not exceed {most} tokens.", "content")
        delegation_id = event["delegation_id"]
        is_ours = session.delegates_to == "client" and delegation_id in self.backend.delegations
        if delegation_id is not None and not is_ours:
            raise Refused(None, "Unknown client delegation.", "delegation_id")
        kind = event["type"].split(".")[1]
        append = Append(kind, event["content"], event.get("event_id"), delegation_id, session.clock.now_ms)
        self.all.append(append)
        session.conversation.append(message("developer", append.content))
        self._acks.append(session.clock.after(session.pace.append_ack_ms, lambda: self._acknowledge(append)))
        if kind != "instructions":
            self.turns.context_came()
        if kind == "commentary":
            self._comment(append)
        elif kind == "instructions":
            self._instruct(append)

    def end(self) -> None:
        """The session ends: what was not acknowledged is refused."""
        for planned in self._acks:
            planned.cancel()
        for append in self.all:
            if append.taken_ms is None:
                complaint = "The session ended before the context was taken."
                refusal = Refused("context_injection_incomplete", complaint)
                self.session.refuse(refusal, append.event_id)

    def _acknowledge(self, append: Append) -> None:
        append.taken_ms = self.session.clock.now_ms
        kind = f"session.{append.kind}.appended"
        self.session.send(kind, append.event_id, start_ms=append.given_ms, end_ms=append.taken_ms)

    def _comment(self, append: Append) -> None:
        faults = self.session.faults
        if faults.mute_greetings > 0:
            faults.mute_greetings -= 1
            return
        self.turns.asked_to_speak(exact_words(append.content), self.session.pace.commentary_ms)

    def _instruct(self, append: Append) -> None:
        session = self.session
        if wants_silence(append.content):
            session.clock.after(session.pace.yield_ms, self.voice.fall_silent)
            return
        voice = session.config["audio"]["output"]["voice"]
        if voice not in session.assumes.mute_voices:
            self.turns.asked_to_speak(exact_words(append.content), session.pace.instructions_ms)
