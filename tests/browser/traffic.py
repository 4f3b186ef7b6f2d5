"""What a page and its line socket tell each other, in order."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocket

FRAME = 160


@attrs.define
class Traffic:
    """Of the line sockets of one page; ``up`` is what the page has sent."""

    messages: list[tuple[bool, dict[str, Any]]] = attrs.field(factory=list)

    @classmethod
    def of(cls, page: Page) -> Traffic:
        """From now on; the socket is in the page's worker."""
        traffic = cls()
        page.on("websocket", lambda socket: traffic._listen(socket))
        return traffic

    def _listen(self, socket: WebSocket) -> None:
        if "/line/" in socket.url:
            socket.on("framesent", lambda text: self.messages.append((True, json.loads(text))))
            socket.on("framereceived", lambda text: self.messages.append((False, json.loads(text))))

    def of_kind(self, event: str, *, up: bool) -> list[dict[str, Any]]:
        return [said for sent, said in self.messages if sent is up and said["event"] == event]

    def marks(self, *, up: bool) -> list[str]:
        return [said["mark"]["name"] for said in self.of_kind("mark", up=up)]

    def audio(self, *, up: bool) -> bytes:
        return b"".join(map(audio_of, self.of_kind("media", up=up)))


def audio_of(said: dict[str, Any]) -> bytes:
    """Of a ``media`` message."""
    return base64.b64decode(said["media"]["payload"])


def longest_loss(received: bytes, sent: list[bytes]) -> int:
    """How many frames in a row did not arrive; those that did must be in order.

    ``sent`` are frames that are loud, so no two of them are the same.
    """
    at = run = longest = 0
    for frame in sent:
        place = received.find(frame, at)
        run = run + 1 if place < 0 else 0
        at = at if place < 0 else place + len(frame)
        longest = max(longest, run)
    return longest
