"""``--play`` during a call: both voices on one channel, into a player that takes sound as it comes."""

from __future__ import annotations

import subprocess
from array import array
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from llcphone.sim import ulaw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from llcphone.sim.twilio import SimCall

CHUNK_MS = 100
PREROLL_MS = 200
"""Silence ahead, so that a moment's delay here is no gap there."""
LAST_WORD_S = 3.0
"""What the player gets to play out when the call is over."""


@asynccontextmanager
async def play_live(call: SimCall, player: Sequence[str], tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Play a call while the block lasts, and see the player's end.

    Args:
        call: whose voices are played.
        player: a command that plays raw sound from its input, see ``player.LIVE``; empty: nothing is played.
        tell: gets a line if the player ends before the call.
    """
    if not player:
        yield
        return
    process = await trio.lowlevel.open_process(
        [*player],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches the demo alone, which ends the player
    )
    assert process.stdin is not None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, call, process.stdin, player[0], tell, name="listening in")
            yield
            nursery.cancel_scope.cancel()
        with trio.move_on_after(LAST_WORD_S):
            await process.stdin.aclose()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):  # it was killed: this takes no time
            await process.wait()
            await process.stdin.aclose()


async def _feed(call: SimCall, sound: trio.abc.SendStream, name: str, tell: Callable[[str], None]) -> None:
    begun_ms = played_ms = call.log.now_ms
    try:
        await sound.send_all(mixed((), (), 0, PREROLL_MS))
        while True:
            await trio.sleep(max(0, begun_ms + CHUNK_MS - call.log.now_ms) / 1000)
            begun_ms = call.log.now_ms
            await sound.send_all(mixed(call.said, call.ear, played_ms, begun_ms))
            played_ms = begun_ms
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        tell(f"{name} has ended: no sound from here on. Fix: open the WAV files")


def mixed(
    said: Iterable[tuple[float, bytes]], heard: Iterable[tuple[float, bytes]], from_ms: int, to_ms: int
) -> bytes:
    """What sounded between two moments, as 16-bit samples of this machine's byte order."""
    one, other = (array("h", ulaw.decode(_between(each, from_ms * 8, to_ms * 8))) for each in (said, heard))
    return array("h", [max(-32768, min(32767, a + b)) for a, b in zip(one, other, strict=True)]).tobytes()


def _between(pieces: Iterable[tuple[float, bytes]], begin: int, end: int) -> bytes:
    line = bytearray(ulaw.SILENCE * (end - begin))
    for start_ms, audio in pieces:
        start = round(start_ms * 8)
        piece = audio[max(0, begin - start) : max(0, end - start)]
        at = max(0, start - begin)
        line[at : at + len(piece)] = piece
    return bytes(line)
