"""One session of the simulated Realtime API: its record for assertions, its live controls, its task.

Its parts lie below it: ``SessionState`` is what they share, ``CallerAudio`` hears the caller, ``Responses``
begins each ``Response``, ``Inbox`` acts on client events, ``Link`` is the socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from llcphone.sim.model.caller_audio import CallerAudio
from llcphone.sim.model.check import Refused
from llcphone.sim.model.config import SESSION_LIMIT_S, fresh_session
from llcphone.sim.model.inbox import Inbox
from llcphone.sim.model.responses import Responses
from llcphone.sim.model.schema import Dialect
from llcphone.sim.model.script import Step, steps_of
from llcphone.sim.model.state import Received, SessionState

if TYPE_CHECKING:
    from llcphone.sim.model.response import Response

Json = dict[str, Any]

EXPIRED = "Your session hit the maximum duration of 60 minutes."


@attrs.define(eq=False)
class ModelSession(SessionState):
    """One connection, open or over. Everything public may be read and asserted at any time."""

    caller_audio: CallerAudio = attrs.field(init=False, repr=False)
    _responses: Responses = attrs.field(init=False, repr=False)
    _inbox: Inbox = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.caller_audio = CallerAudio(self)
        self._responses = Responses(self, self.caller_audio)
        self._inbox = Inbox(self, self.caller_audio, self._responses)

    @property
    def received_audio(self) -> bytes:
        """The caller audio the model heard, exactly as sent."""
        return bytes(self.caller_audio.kept)

    @property
    def responses(self) -> list[Response]:
        """Every response, in order."""
        return self._responses.all

    @property
    def active(self) -> Response | None:
        """The response that holds the default conversation."""
        return self._responses.active

    @property
    def asked_s(self) -> list[float]:
        """When a response of the default conversation was asked for, by the client or by turn detection."""
        return self._responses.asked_s

    @property
    def skipped_tools(self) -> list[str]:
        """Tools the script wanted to call and the session did not offer."""
        return self._responses.skipped_tools

    # Live control ----------------------------------------------------------------------------------------

    def say(self, *turn: str | Step) -> Response:
        """Make the model answer now, script or not, asked or not.

        Raises:
            RuntimeError: a response of the default conversation is active.
        """
        if self.active is not None:
            raise RuntimeError("a response is active already")
        return self._responses.begin(steps_of(turn), {})

    def expire(self) -> None:
        """The 60-minute limit, now: ``session_expired``, then close."""
        self.send(Refused("session_expired", EXPIRED).as_error(None))
        self.close(1001)

    async def run(self, expires_at: int, model: str) -> None:
        """Hold the session until its socket has ended."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._inbox.acknowledge, name="sim model updates")
            nursery.start_soon(self._outbox.fault_timers, name="sim model faults")
            nursery.start_soon(self._live, name="sim model lifetime")
            if self.faults.silent:
                self.stall()
            self.config = fresh_session(self.new_id("sess"), model, expires_at)
            if self.dialect is Dialect.XAI:
                self.config["audio"]["output"]["voice"] = "eve"
            if self.unknowns.announces_s == 0:
                del self.config["expires_at"]
            self.send({"type": "session.created", "session": self.config})
            if self.dialect is Dialect.FLAT:
                conversation = {"id": self.conversation_id, "object": "realtime.conversation"}
                self.send({"type": "conversation.created", "conversation": conversation})
            try:
                await self.link.run(self._take)
            finally:
                self.notify()
            nursery.cancel_scope.cancel()

    async def _live(self) -> None:
        wanted_s = self.faults.expire_after_s
        await trio.sleep(SESSION_LIMIT_S if wanted_s is None else wanted_s)
        self.expire()

    def _take(self, message: str | bytes) -> None:
        """One WebSocket message from the client. Neither binary nor broken JSON ends a session."""
        try:
            if isinstance(message, bytes):
                raise Refused("invalid_event", "Binary messages are not supported; send JSON text.")
            try:
                event = msgspec.json.decode(message)
            except (msgspec.DecodeError, RecursionError):
                raise Refused("invalid_json", "The message is not valid JSON.") from None
        except Refused as refusal:
            self.send(refusal.as_error(None))
            return
        is_audio = isinstance(event, dict) and event.get("type") == "input_audio_buffer.append"
        if isinstance(event, dict) and (self.keep_audio or not is_audio):
            self.received.append(Received(trio.current_time(), event))
        self._inbox.handle(event)
        self.notify()
