"""What a page sends to its line socket."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

SPOKEN_LIMIT = 500
"""Characters of what is to be spoken."""
DELAY_LIMIT_MS = 5000


class _Audio(msgspec.Struct):
    payload: bytes


class _Name(msgspec.Struct):
    name: str


class _Key(msgspec.Struct):
    digit: Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"]


class _Up(msgspec.Struct, tag_field="event", tag=str.lower):
    """A message of a page."""


class Call(_Up):
    """Ring the server; "" is its own number."""

    to: str = ""


class Accept(_Up):
    """Pick up what rings."""


class Decline(_Up):
    """Do not."""


class Machine(_Up):
    """Pick up as an answering machine would."""


class Media(_Up):
    """20 ms from the microphone."""

    media: _Audio


class Mark(_Up):
    """All audio before this mark was heard, or dropped after a ``clear``."""

    mark: _Name


class Dtmf(_Up):
    """A key was pressed."""

    dtmf: _Key


class HangUp(_Up, tag="hangup"):
    """Hang up."""


class Dial(_Up):
    """What the party does that ``<Dial>`` rings."""

    outcome: Literal["answered", "busy", "no-answer", "over"]


class Line(_Up):
    """Say a recording of ``llcphone.sim.voices``."""

    name: str


class Speak(_Up):
    """Say these words, where this machine has a voice."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=SPOKEN_LIMIT)]


class Fault(_Up):
    """Something goes wrong on the way."""

    what: Literal["drop-stream", "lose-model", "delay"]
    ms: Annotated[int, msgspec.Meta(ge=0, le=DELAY_LIMIT_MS)] = 0
    """Of ``delay``: so much later does everything arrive from now on, in either direction."""


class Stats(_Up):
    """How the page's audio is doing."""

    queued_ms: float = 0
    underruns: int = 0
    out_latency_ms: float = 0


Up: TypeAlias = (
    Call | Accept | Decline | Machine | Media | Mark | Dtmf | HangUp | Dial | Line | Speak | Fault | Stats
)
_DECODER = msgspec.json.Decoder(Up)


def read(message: bytes) -> Up:
    """One message of a page.

    Raises:
        ValueError: it is none of these.
    """
    try:
        said: Up = _DECODER.decode(message)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return said
