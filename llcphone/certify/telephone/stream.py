"""One leg's media stream, read to its end: what was received, and when."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from attrs import define, field, frozen

from llcphone.errors import LegClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.certify.fixtures import Recording
    from llcphone.wire.leg import Leg

QUIET = b"\xff\x7f\xfe\x7e"
"""Bytes of silence and of a line's noise."""


@frozen
class Message:
    """One message of Twilio."""

    at_s: float
    """When it came, by Trio's clock."""
    event: dict[str, Any]

    @property
    def kind(self) -> str:
        """``connected``, ``start``, ``media``, ``mark``, ``stop`` ..."""
        return str(self.event.get("event", ""))

    @property
    def audio(self) -> bytes:
        """Of a media message: µ-law."""
        return base64.b64decode(self.event["media"]["payload"])


@define(eq=False)
class Stream:
    """A media stream of which the upgrade was accepted."""

    leg: Leg
    path: str
    signature: str = field(repr=False)
    """The header of the upgrade."""
    host: str
    recording: Recording
    messages: list[Message] = field(factory=list, repr=False)
    ended: LegClosed | None = None
    _news: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot)

    @property
    def sid(self) -> str:
        """Twilio's id of the stream; "" before its ``start``."""
        return next((str(each.event["streamSid"]) for each in self.messages if each.kind == "start"), "")

    @property
    def call_sid(self) -> str:
        """Of the leg; "" before ``start``."""
        starts = (each.event["start"] for each in self.messages if each.kind == "start")
        return next((str(start["callSid"]) for start in starts), "")

    async def read(self) -> None:
        """Read until the stream ends."""
        try:
            while True:
                for content in await self.leg.receive():
                    self.recording.received("twilio", content)
                    self.messages.append(Message(trio.current_time(), msgspec.json.decode(content)))
                self._news.unpark_all()
        except LegClosed as end:
            self.ended = end
        except msgspec.DecodeError:
            self.ended = LegClosed(1007, "not JSON")
        finally:
            self._news.unpark_all()

    async def until(self, found: Callable[[], bool], within_s: float = math.inf) -> bool:
        """Wait until something is so; False: it is not, and the time is over or the stream has ended."""
        with trio.move_on_after(within_s):
            while not found() and self.ended is None:
                await self._news.park()
        return found()

    async def started(self, within_s: float) -> bool:
        """Wait for ``start``."""
        return await self.until(lambda: bool(self.sid), within_s)

    def media(self, since_s: float = 0.0) -> list[Message]:
        """Media messages since a moment of Trio's clock."""
        return [each for each in self.messages if each.kind == "media" and each.at_s >= since_s]

    def loud(self, since_s: float) -> bool:
        """Whether anything but silence was received since then."""
        return any(each.audio.strip(QUIET) for each in self.media(since_s))

    def mark_s(self, name: str) -> float | None:
        """When a mark came back, by Trio's clock."""
        marks = (each for each in self.messages if each.kind == "mark" and each.event["mark"]["name"] == name)
        return next((each.at_s for each in marks), None)

    def say(self, audio: bytes) -> None:
        """Send audio in one message."""
        self._send({"event": "media", "media": {"payload": base64.b64encode(audio).decode()}})

    def mark(self, name: str) -> None:
        """Send a mark."""
        self._send({"event": "mark", "mark": {"name": name}})

    def clear(self) -> None:
        """Drop what has not been played."""
        self._send({"event": "clear"})

    def _send(self, event: dict[str, Any]) -> None:
        message = msgspec.json.encode({"streamSid": self.sid, **event})
        self.recording.sent("twilio", message)
        self.leg.send_nowait(message)
