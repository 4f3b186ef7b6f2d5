"""One session of the model, held for a question: what is said is recorded, responses are counted."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import trio
from attrs import define, field, frozen

from llcphone.call.codec import events_in
from llcphone.certify.answer import Unanswered
from llcphone.errors import RemoteProtocolError
from llcphone.realtime import events as model_events
from llcphone.realtime.messages import AskAside, CreateResponse, UpdateSession
from llcphone.realtime.session import confirms_ulaw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.call.codec import ModelCodec
    from llcphone.certify.fixtures import Recording
    from llcphone.realtime.events import ModelEvent
    from llcphone.realtime.messages import ModelMessage
    from llcphone.wire.leg import Leg

E = TypeVar("E")


@frozen
class Heard:
    """One event of the server."""

    at_s: float
    """When it came, by Trio's clock."""
    event: ModelEvent
    raw: bytes


@define
class Allowance:
    """How much a question may still use: its bound is one of cost."""

    left: int

    def take(self, much: int = 1) -> None:
        """Use up some.

        Raises:
            Unanswered: so much is not left.
        """
        if self.left < much:
            raise Unanswered("bound_reached")
        self.left -= much


@define(eq=False)
class Talk:
    """A session, from its first event."""

    leg: Leg
    codec: ModelCodec
    opened_s: float
    """When the socket was dialled, by Trio's clock."""
    recording: Recording
    allowance: Allowance
    _waiting: deque[Heard] = field(factory=deque)

    def send(self, message: ModelMessage) -> None:
        """Send a message.

        Raises:
            Unanswered: it asks for a response, and the question may ask for no more.
        """
        if isinstance(message, CreateResponse | AskAside):
            self.allowance.take()
        if (payload := self.codec.encode(message)) is not None:
            self._send(payload)

    def send_raw(self, event: Mapping[str, Any]) -> None:
        """Send an event that llcphone itself never sends; no ``response.create``."""
        self._send(msgspec.json.encode(event))

    def _send(self, message: bytes) -> None:
        self.recording.sent("model", message)
        self.leg.send_nowait(message)

    async def next(self) -> Heard:
        """The next event that can be read; all of them are recorded.

        Raises:
            LegClosed: the session has ended.
        """
        while not self._waiting:
            messages = await self.leg.receive()
            now_s = trio.current_time()
            for message in messages:
                self.recording.received("model", message)
                with suppress(RemoteProtocolError):
                    events = events_in(self.codec.decode(message))
                    self._waiting += [Heard(now_s, event, bytes(message)) for event in events]
        return self._waiting.popleft()

    async def until(self, *kinds: type[Any]) -> Heard:
        """The next event of one of these kinds; those before it are passed over."""
        while True:
            heard = await self.next()
            if isinstance(heard.event, kinds):
                return heard

    async def update(self, fields: Mapping[str, Any]) -> model_events.SessionUpdated:
        """Change settings of the session.

        Raises:
            Unanswered: the server refused.
        """
        answer = await self.try_update(fields)
        if isinstance(answer, model_events.ModelError):
            raise Unanswered(answer.code or "error")
        return answer

    async def try_update(
        self, fields: Mapping[str, Any]
    ) -> model_events.SessionUpdated | model_events.ModelError:
        """The server's answer to a change of settings."""
        self.send(UpdateSession(fields, "certify"))
        heard = await self.until(model_events.SessionUpdated, model_events.ModelError)
        assert isinstance(heard.event, model_events.SessionUpdated | model_events.ModelError)
        return heard.event

    async def configure(self, fields: Mapping[str, Any]) -> None:
        """The session's first settings.

        Raises:
            Unanswered: the server refused, or does not confirm µ-law.
        """
        if not confirms_ulaw(await self.update(fields)):
            raise Unanswered("audio_format")

    async def response(self, message: CreateResponse | AskAside) -> Spoken:
        """Ask for a response and wait for its end.

        Raises:
            Unanswered: it failed or was refused.
        """
        asked_s = trio.current_time()
        self.send(message)
        audio, item_id, first_s = 0, "", 0.0
        while True:
            heard = await self.next()
            match heard.event:
                case model_events.AudioDelta():
                    audio += len(heard.event.payload.rstrip(b"=")) * 3 // 4
                    item_id, first_s = heard.event.item_id, first_s or heard.at_s
                case model_events.TextDelta():
                    first_s = first_s or heard.at_s
                case model_events.ModelError(code=code):
                    raise Unanswered(code or "error")
                case model_events.ResponseDone(status=model_events.ResponseStatus.FAILED, error_code=code):
                    raise Unanswered(code or "failed")
                case model_events.ResponseDone() as done:
                    first_ms = round((first_s - asked_s) * 1000) if first_s else None
                    return Spoken(done, audio, item_id, first_ms)


@frozen
class Spoken:
    """A response that has ended."""

    done: model_events.ResponseDone
    audio_bytes: int
    item_id: str
    """Of its last item with sound; "" if it has none."""
    first_ms: int | None
    """From the request to the first sound or word; None: there was none."""
