"""Stored sound that a caller hears when no model speaks: as base64 payloads, ready to be sent.

``one_moment.ulaw`` says "One moment, please.", ``apology.ulaw`` "I am sorry, we have a technical
problem. Please call again in a few minutes. Good bye."; raw 8 kHz µ-law, made as the simulators'
voices are (``llcphone/sim/voices/README.md``). ``tone.ulaw`` is two soft notes, 440 and 554 Hz, of
180 ms each, at a fifteenth of full scale. ``menu_*.ulaw`` are the words of the AI IVR's menu, made by
``menu.sh``. A file of your own is raw ``.ulaw`` or a WAV of 8 kHz
mono µ-law.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from llcphone.audio import BYTES_PER_MS
from llcphone.errors import ConfigError

OFF = "off"
"""In place of a file: say nothing."""

_PIECE_MS = 200


@lru_cache
def stored(name: str) -> tuple[bytes, ...]:
    """One of the shipped recordings: ``one_moment``, ``apology`` or ``tone``."""
    return pieces(files(__name__).joinpath(f"{name}.ulaw").read_bytes())


@lru_cache
def prompt(path: str, default: str, key: str) -> tuple[bytes, ...]:
    """What a setting asks for: its file, nothing when it is ``off``, the shipped recording when empty.

    Read once for the life of the process.

    Args:
        path: the setting.
        default: the shipped recording's name.
        key: the setting's own name, for complaints.

    Raises:
        ConfigError: the file cannot be read, or is no such recording.
    """
    if path == OFF:
        return ()
    if not path:
        return stored(default)
    try:
        audio = Path(path).read_bytes()
    except OSError as exc:
        raise ConfigError(key, f"cannot be read: {exc.strerror}") from None
    if audio[:4] == b"RIFF":
        audio = ulaw_of_wav(audio)
    if not audio:
        raise ConfigError(key, "must be 8 kHz mono µ-law: sox in.wav -r 8000 -c 1 -e u-law out.wav")
    return pieces(audio)


def ulaw_of_wav(data: bytes) -> bytes:
    """The samples of a format 7 WAV at 8 kHz mono; empty when it is something else."""
    at, ulaw = 12, False
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if kind == b"fmt ":
            numbers = [int.from_bytes(body[i : i + j], "little") for i, j in ((0, 2), (2, 2), (4, 4))]
            ulaw = numbers == [7, 1, 8000]
        elif kind == b"data":
            return body if ulaw else b""
        at += 8 + size + size % 2
    return b""


def pieces(audio: bytes) -> tuple[bytes, ...]:
    """Raw µ-law as payloads."""
    size = _PIECE_MS * BYTES_PER_MS
    return tuple(base64.b64encode(audio[at : at + size]) for at in range(0, len(audio), size))
