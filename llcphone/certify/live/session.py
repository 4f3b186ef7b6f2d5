"""One session of GPT-Live, held for a question: it is fed audio, and all that is said is recorded."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import trio
from attrs import define, field, frozen

from llcphone.certify.answer import Unanswered
from llcphone.certify.speech import BYTES_PER_MS, FRAME_MS, level, silence
from llcphone.errors import LegClosed
from llcphone.wire import websocket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from llcphone.certify.fixtures import Recording
    from llcphone.certify.site import Site
    from llcphone.wire.leg import Leg

T = TypeVar("T")

PATH = "/v1/live/sessions"
MODELS = ("gpt-live-1.1", "gpt-live-1")
"""The newer first."""
ULAW = {"type": "audio/pcmu", "rate": 8000}
PROMPT = "You answer the telephone of a restaurant. Speak English. Say nothing until you are asked to."
DIAL_S = 10.0
START_S = 15.0
CLOSE_S = 3.0
LOUD_DB = -40.0
"""A piece of audio that is louder than that is speech."""


@frozen
class Heard:
    """One event of the server."""

    at_s: float
    """When it came, by Trio's clock."""
    event: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.event.get("type", ""))

    @property
    def audio(self) -> bytes:
        """Of a piece of audio: µ-law."""
        return base64.b64decode(self.event["delta"])


@define(eq=False)
class LiveTalk:
    """A session, from its socket on."""

    leg: Leg
    recording: Recording
    voice: str
    model: str
    heard: list[Heard] = field(factory=list, repr=False)
    fed_ms: int = 0
    """Audio that was sent."""
    ended_s: float | None = None
    """When the socket ended, by Trio's clock."""
    end: LegClosed | None = None
    _count: int = 0
    _news: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot)

    async def read(self) -> None:
        """Read until the session ends."""
        try:
            while True:
                for message in await self.leg.receive():
                    self.recording.received("model", message)
                    self.heard.append(Heard(trio.current_time(), msgspec.json.decode(message)))
                self._news.unpark_all()
        except LegClosed as end:
            self.ended_s, self.end = trio.current_time(), end
        except msgspec.DecodeError:
            self.ended_s, self.end = trio.current_time(), LegClosed(1007, "not JSON")
        finally:
            self._news.unpark_all()

    async def until(self, found: Callable[[], bool], within_s: float) -> bool:
        """Wait until something is so; False: it is not, and the time is over or the session has ended."""
        with trio.move_on_after(within_s):
            while not found() and self.end is None:
                await self._news.park()
        return found()

    def of(self, *kinds: str, since_s: float = 0.0) -> list[Heard]:
        """Events of these types since a moment of Trio's clock."""
        return [each for each in self.heard if each.kind in kinds and each.at_s >= since_s]

    def audio(self, since_s: float = 0.0) -> list[Heard]:
        """Pieces of audio."""
        return self.of("session.output_audio.delta", since_s=since_s)

    def loud(self, since_s: float = 0.0) -> list[Heard]:
        """Pieces of audio that hold speech."""
        return [each for each in self.audio(since_s) if level(each.audio) > LOUD_DB]

    def refusal(self, event_id: str = "") -> str:
        """Code of the first refusal, or of that of one event; "": there is none."""
        for each in self.of("error"):
            error = each.event.get("error") or {}
            if not event_id or event_id in (error.get("client_event_id"), each.event.get("client_event_id")):
                return str(error.get("code") or error.get("type") or "error")
        return ""

    def send(self, kind: str, **fields: Any) -> str:
        """Send an event; its id."""
        self._count += 1
        event_id = f"certify-{self._count}"
        message = msgspec.json.encode({"type": kind, "event_id": event_id, **fields})
        self.recording.sent("model", message)
        self.leg.send_nowait(message)
        return event_id

    async def start(self, model: str = "", **session: Any) -> dict[str, Any]:
        """Start the session; the object that the server sends.

        Raises:
            Unanswered: it was refused, or it does not have µ-law.
        """
        self.send_start(model, **session)
        return await self.started()

    def send_start(self, model: str = "", **session: Any) -> None:
        """Send ``session.start``, with other fields than the usual ones."""
        audio = {"format": ULAW, "output": {"voice": self.voice}}
        asked = {"model": model or self.model, "instructions": PROMPT, "audio": audio, "store": False}
        self.send("session.start", session={**asked, **session})

    async def started(self) -> dict[str, Any]:
        """Wait for the start; see ``start``."""
        if not await self.until(lambda: bool(self.of("session.started", "error")), START_S):
            raise Unanswered("not_started")
        if not (started := self.of("session.started")):
            raise Unanswered(self.refusal())
        session: dict[str, Any] = started[0].event["session"]
        if (session.get("audio") or {}).get("format") != ULAW:
            raise Unanswered("audio_format")
        return session

    async def started_despite(self) -> None:
        """Wait for the start, though something else was refused.

        Raises:
            Unanswered: the session did not start.
        """
        if not await self.until(lambda: bool(self.of("session.started")), START_S):
            raise Unanswered(self.refusal() or "not_started")

    def feed(self, audio: bytes) -> None:
        """Send audio in one event."""
        self.fed_ms += len(audio) // BYTES_PER_MS
        self.send("session.input_audio.append", audio=base64.b64encode(audio).decode())

    async def play(self, audio: bytes) -> float:
        """Send audio frame by frame in real time; when the first was sent.

        Raises:
            Unanswered: the session has ended meanwhile.
        """
        size, began_s = FRAME_MS * BYTES_PER_MS, trio.current_time()
        for number, at in enumerate(range(0, len(audio), size), 1):
            self.feed(audio[at : at + size])
            await trio.sleep_until(began_s + number * FRAME_MS / 1000)
            if self.end is not None:
                raise Unanswered("session_ended")
        return began_s

    async def wait(self, ms: int) -> float:
        """Feed silence for so long: the session's clock is the audio that it is given."""
        return await self.play(silence(ms))

    def ask_to_say(self, words: str, by: str = "commentary") -> str:
        """Ask for words; ``by`` is one of the ways to append text."""
        content = f"Say exactly: {words}"
        return self.send(f"session.{by}.append", content=content, delegation_id=None)


async def live_session(site: Site, talk: Callable[[LiveTalk], Awaitable[T]], *, within_s: float) -> T:
    """Open a session of GPT-Live, use it, and close it whatever happens.

    Args:
        site: its allowance of seconds is used up by ``within_s``.
        talk: uses the session.
        within_s: longest time for all of it; so much is billed at most.

    Raises:
        Unanswered: the question has no seconds left.
        one of ``model_leg.NO_SESSION``: there was no session.
    """
    site.seconds.take(round(within_s + CLOSE_S))
    headers = [("Authorization", f"Bearer {site.config.realtime.api_key}")]
    with trio.fail_after(within_s):
        async with trio.open_nursery() as nursery:
            leg = await websocket.connect(
                live_url(site.config.realtime.url), headers=headers, timeout_s=DIAL_S
            )
            leg.attach(nursery.start_soon, lambda end: None)
            session = LiveTalk(leg, site.recording, site.config.realtime.voice, site.live_model)
            nursery.start_soon(session.read, name="certify live")
            try:
                return await talk(session)
            finally:
                with trio.move_on_after(CLOSE_S, shield=True):
                    await _close(session)
                leg.abort()
                nursery.cancel_scope.cancel(reason="asked")


async def _close(session: LiveTalk) -> None:
    """The session is billed until it is closed."""
    if session.end is None:
        session.send("session.close")
        await session.until(lambda: bool(session.of("session.closed")), CLOSE_S)
    await session.leg.aclose()


def live_url(realtime_url: str) -> str:
    """Where GPT-Live is at the endpoint of the Realtime API."""
    return urlsplit(realtime_url)._replace(path=PATH, query="").geturl()


def total_ms(pieces: Sequence[Heard]) -> int:
    """Milliseconds of audio."""
    return sum(len(each.audio) for each in pieces) // BYTES_PER_MS
