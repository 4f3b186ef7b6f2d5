"""Packets that killed or wedged other servers, mutations of them, and calls that must not notice.

The seeds are those of docs/vendor-facts.md (HTTP and WebSocket libraries). Used by the
fuzz test and, for figures, by bench/door_fuzz.py.
"""

from __future__ import annotations

import random
import socket
import struct
from typing import TYPE_CHECKING

import attrs
import trio

from tests.server.support import HANDSHAKE, FakePhone, MediaPeer, frame, get, media_request, webhook_request

if TYPE_CHECKING:
    from collections.abc import Sequence

WS = b"GET /ws HTTP/1.1\r\n" + HANDSHAKE
MEDIA = media_request("fuzz")
SEEDS = (
    WS + b"\r\nx",  # hypercorn #225: one byte ends the process
    WS + b"Sec-WebSocket-Extensions: \xb8\r\n\r\n",
    WS + b"Sec-WebSocket-Protocol: \xff\r\n\r\n",
    WS.replace(b"Connection: Upgrade", b"Connection: Upgrade, \xe9") + b"\r\n",
    get("/", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAA"),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world" + b"\x01" * 50,
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
    webhook_request(),
    webhook_request() + webhook_request(),
    get("/healthz") + MEDIA,
    get("/healthz", "Connection: keep-alive", " folded", "Expect: 100-continue"),
    MEDIA + frame(b"hello") + b"\x88\x80\x00\x00\x00\x00",
    MEDIA + b"x",
    media_request("fuzz", extra=b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
    + b"\xc1\x80\x00\x00\x00\x00",
    media_request("nobody") + frame(b"x" * 200),
    media_request("fuzz", signature="AAAA"),
)
TOKENS = (
    b"\r\n", b"\r\n\r\n", b"\n", b" ", b"\x00", b"\xff", b":", b",", b"Upgrade: websocket\r\n", b"HTTP/1.0",
    b"Content-Length: 99999999999\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: Upgrade\r\n", b"Expect: 100-continue\r\n", b"%00", b"/../", b"?", b"*",
    b"\x81\xff" + b"\xff" * 8,
)  # fmt: skip


def mutate(rng: random.Random, seeds: Sequence[bytes] = SEEDS) -> bytes:
    """One hostile packet."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.randrange(1, 20))
        match rng.randrange(7):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                data[at:at] = rng.choice(TOKENS)
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end] * rng.choice((1, 2, 50))
            case 4:
                data[at:] = rng.choice(seeds)[rng.randrange(20) :]
            case 5:
                data[at:at] = rng.randbytes(rng.randrange(1, 30))
            case 6:
                del data[at:]
    return bytes(data)


async def attack(port: int, rng: random.Random, seeds: Sequence[bytes] = SEEDS) -> None:
    """Send one packet, in one or more pieces, and leave in one of three ways."""
    data, cut, leave = mutate(rng, seeds), rng.random(), rng.random()
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    try:
        pieces = [data] if cut < 0.8 else [data[: len(data) // 2], data[len(data) // 2 :]]
        for piece in pieces:
            await stream.send_all(piece)
            await trio.lowlevel.checkpoint()
        if leave < 0.6:
            await stream.send_eof()
            async for _ in stream:
                pass
        elif leave < 0.8:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except trio.BrokenResourceError:
        pass  # it hung up on us, as it may
    finally:
        stream.socket.close()


async def attack_many(
    port: int, cases: int, *, workers: int, seed: int, seeds: Sequence[bytes] = SEEDS
) -> None:
    """Run so many cases, the same ones every time."""

    async def work(rng: random.Random, count: int) -> None:
        for _ in range(count):
            await attack(port, rng, seeds)

    async with trio.open_nursery() as nursery:
        for number in range(workers):
            nursery.start_soon(work, random.Random(seed + number), cases // workers, name="attacker")


class OpenPhone(FakePhone):
    """A fake phone with a call that waits for the token `fuzz`, always."""

    def expects(self, token: str) -> bool:
        if token == "fuzz":
            self.tokens.add(token)
        return super().expects(token)


@attrs.define(eq=False)
class LiveCall:
    """A caller who counts: a frame every 20 ms, each echoed, none lost, and how late."""

    peer: MediaPeer
    sent: int = 0
    heard: int = 0
    delays_s: list[float] = attrs.field(factory=list)
    over: bool = False

    async def run(self) -> None:
        """Speak until ``over`` is set, then hear the last echo."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear, name="ear")
            next_s = trio.current_time()
            while not self.over:
                await self.peer.send(b"%d %f " % (self.sent, trio.current_time()) + b"x" * 200)
                self.sent += 1
                next_s += 0.02
                await trio.sleep_until(next_s)
            with trio.move_on_after(2):
                while self.heard < self.sent:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    async def _hear(self) -> None:
        while True:
            number, sent_s, _ = (await self.peer.receive()).split(b" ")
            assert int(number) == self.heard  # in order, none missing
            self.heard += 1
            self.delays_s.append(trio.current_time() - float(sent_s))
