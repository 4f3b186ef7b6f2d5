"""Giving a recording to a browser: all of it, or the range of bytes that it asks for (RFC 9110, section 14).

A recording may still grow, or its process may have been killed: what is given is a whole WAV of what is in
the file at the moment of the question, with a head that says so.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import attrs

from llcphone.recorder.folder import head_at
from llcphone.recorder.wav import WIDTH

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.recorder.wav import Head

PIECE = 65_536
"""Bytes that are read at once."""
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


@attrs.frozen
class ByteRange:
    """A part of a file; both ends are in it."""

    first: int
    last: int
    of: int

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The header of that name."""
        return f"bytes {self.first}-{self.last}/{self.of}"


class OutOfRange(ValueError):
    """Nothing of the range that was asked for is there: 416."""


def range_of(header: str, size: int) -> ByteRange | None:
    """What a ``Range`` header asks for; None: all, as for a header that is none, or asks for several ranges.

    Raises:
        OutOfRange: nothing of it is there.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if not match[1]:  # so many bytes from the end
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return None
    if first >= size or last < first:
        raise OutOfRange
    return ByteRange(first, last, size)


@attrs.frozen
class RecordingFile:
    """A recording as it was when it was looked at. Nothing stays open between two reads."""

    path: Path
    head: Head

    @property
    def size(self) -> int:
        """All its bytes."""
        return len(self.head.text) + self.head.samples * WIDTH

    @property
    def etag(self) -> str:
        """The same for the same bytes."""
        return f'"{self.head.about.call}-{self.size}"'

    def as_dict(self) -> dict[str, float]:
        """How long it is, and where it lies on the time axis of its call's record."""
        return {"duration_s": self.head.duration_s, "after_birth_ms": self.head.about.after_birth_ms}

    def read(self, first: int, last: int) -> bytes:
        """These bytes, ``PIECE`` of them at most; fewer, if the file has become shorter.

        Raises:
            OSError: they cannot be read.
        """
        end = min(last + 1, first + PIECE, self.size)
        begin = max(first, len(self.head.text))
        audio = b""
        if begin < end:
            with self.path.open("rb") as file:
                audio = os.pread(file.fileno(), end - begin, begin)
        return self.head.text[first:end] + audio


def look_at(path: Path) -> RecordingFile | None:
    """The recording in this file; None: there is none.

    Raises:
        OSError: it cannot be read.
    """
    head = head_at(path)
    return None if head is None else RecordingFile(path, head)
