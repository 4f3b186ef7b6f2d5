"""The file of one recording: a WAV of two µ-law channels at 8 kHz that says whose it is.

    RIFF   size
    fmt    µ-law, 2 channels, 8,000 samples a second
    fact   samples
    llcp   JSON (`About`); players skip chunks that they do not know
    data   caller, agent, caller, agent, ...

The head is written anew with each piece of audio, so the file can be played at any time, and after its
process was killed. How much audio it has is read from its size: no more than was written.
"""

from __future__ import annotations

import os
import struct

import attrs
import msgspec

RATE = 8000
WIDTH = 2
"""Bytes of one sample of both channels."""

_ULAW = 7
_FORMAT = struct.pack("<4sIHHIIHHH", b"fmt ", 18, _ULAW, 2, RATE, RATE * WIDTH, WIDTH, 8, 0)
_CHUNK = struct.Struct("<4sI")
_MOST_HEAD = 8192
_LONGEST_TEXT = 300


class About(msgspec.Struct, omit_defaults=True):
    """Whose recording it is; so it can be found when nothing else is left of its call."""

    call: str
    """Its ``call_id``."""
    call_sid: str = ""
    caller: str = ""
    dialled: str = ""
    agent: str = ""
    run_number: int = 0
    resumed_from: str = ""
    """The call whose recording comes before this one."""
    began_at: float = 0.0
    """Unix time of its first sample."""
    after_birth_ms: int = 0
    """From the call's birth, which the times of its record count from, to its first sample."""


@attrs.frozen
class Head:
    """What stands before the audio of a file, and how much audio it has."""

    about: About
    text: bytes
    """The head as it is to be, with the right sizes."""
    samples: int

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return self.samples / RATE


class NoRecording(ValueError):
    """A file is none of ours."""


def head_of(about: About, samples: int) -> bytes:
    """What stands before so many samples."""
    return labelled(label_of(about), samples)


def label_of(about: About) -> bytes:
    """The chunk that says whose recording it is."""
    short = {
        name: text[:_LONGEST_TEXT]
        for name, text in msgspec.structs.asdict(about).items()
        if isinstance(text, str)
    }
    body = msgspec.json.encode(msgspec.structs.replace(about, **short))
    body += b" " * (len(body) % 2)  # chunks begin at even places
    return _CHUNK.pack(b"llcp", len(body)) + body


def labelled(label: bytes, samples: int) -> bytes:
    """The head of a recording with this label."""
    size = samples * WIDTH
    fact = _CHUNK.pack(b"fact", 4) + struct.pack("<I", samples)
    text = b"".join((b"WAVE", _FORMAT, fact, label, _CHUNK.pack(b"data", size)))
    return _CHUNK.pack(b"RIFF", len(text) + size) + text


def read_head(fd: int) -> Head:
    """Read what an open file says about itself.

    Raises:
        NoRecording: it is none of ours.
        OSError: it cannot be read.
    """
    text = os.pread(fd, _MOST_HEAD, 0)
    if text[:4] != b"RIFF" or text[8:12] != b"WAVE":
        raise NoRecording
    about: About | None = None
    at = 12
    while at + _CHUNK.size <= len(text):
        kind, size = _CHUNK.unpack_from(text, at)
        at += _CHUNK.size
        if kind == b"data" and about is not None:
            samples = max(0, os.fstat(fd).st_size - at) // WIDTH
            head = head_of(about, samples)
            if len(head) == at:
                return Head(about, head, samples)
            break
        if kind == b"llcp":
            try:
                about = msgspec.json.decode(text[at : at + size], type=About)
            except msgspec.DecodeError:
                break
        at += size + size % 2
    raise NoRecording
