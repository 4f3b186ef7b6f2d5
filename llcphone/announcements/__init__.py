"""Stored sound that a caller hears when no model speaks: as base64 payloads, ready to be sent.

Each language has a folder: ``one_moment.ulaw`` says "One moment, please.", ``apology.ulaw`` "I am sorry, we
have a technical problem. Please call again in a few minutes. Good bye.", ``menu_*.ulaw`` the parts of the AI
IVR's menu. ``words.tsv`` has their texts, and ``make.sh`` speaks them. ``tone.ulaw`` is two soft notes, 440
and 554 Hz, of 180 ms each, at a fifteenth of full scale. A file of your own is raw ``.ulaw`` or a WAV of
8 kHz mono µ-law.
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


ENGLISH = "en"
TONE = "tone"


@lru_cache
def stored(name: str, language: str = ENGLISH, folder: str = "") -> tuple[bytes, ...]:
    """One of the recordings in a language: ``one_moment``, ``apology``, a word of the menu; or ``tone``.

    Args:
        name: the recording.
        language: such as ``es``, or ``es-MX``, for which Spanish ships.
        folder: recordings of your own, which go before those that ship; empty: there are none.

    Raises:
        ConfigError: there is no such recording in this language.
    """
    for kind in ("ulaw", "wav") if folder and name != TONE else ():
        own = Path(folder) / f"{name}.{kind}"
        if own.exists():
            return prompt(str(own), "", "company.language_folder")
    base = language.partition("-")[0]
    place = files(__name__) if name == TONE else files(__name__) / base
    try:
        return pieces((place / f"{name}.ulaw").read_bytes())
    except FileNotFoundError:
        where = f"put it into {folder}" if folder else "set a folder that has it"
        raise ConfigError(
            "company.language_folder", f"{language}: has no recording {name}.ulaw", where
        ) from None


@lru_cache
def prompt(path: str, default: str, key: str, language: str = ENGLISH, folder: str = "") -> tuple[bytes, ...]:
    """What a setting asks for: its file, nothing when it is ``off``, the stored recording when empty.

    Read once for the life of the process.

    Args:
        path: the setting.
        default: the stored recording's name.
        key: the setting's own name, for complaints.
        language: of the stored recording.
        folder: as for ``stored``.

    Raises:
        ConfigError: the file cannot be read, or is no such recording.
    """
    if path == OFF:
        return ()
    if not path:
        return stored(default, language, folder)
    try:
        audio = Path(path).read_bytes()
    except OSError as exc:
        raise ConfigError(
            key, f"cannot be read: {exc.strerror}", "name a file that llcphone may read"
        ) from None
    if audio[:4] == b"RIFF":
        audio = ulaw_of_wav(audio)
    if not audio:
        raise ConfigError(key, "must be 8 kHz mono µ-law", "sox in.wav -r 8000 -c 1 -e u-law out.wav")
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
