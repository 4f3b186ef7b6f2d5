"""``--play``: the calls aloud, by whatever plays sound on this machine; while they go on, if it can."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_QUIET = ("-nodisp", "-autoexit", "-loglevel", "error")
_ORDER = "LE" if sys.byteorder == "little" else "BE"

PLAYERS = (
    ("afplay",),
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("play", "-q"),
    ("ffplay", *_QUIET),
    ("mpv", "--no-video", "--really-quiet"),
)
"""Of macOS, PipeWire, PulseAudio, ALSA, SoX, FFmpeg; the first that is there plays."""

_RAW = ("-t", "raw", "-r", "8000", "-c", "1")
LIVE = (
    ("paplay", "--raw", "--format=s16ne", "--rate=8000", "--channels=1"),
    ("aplay", "-q", *_RAW, "-f", f"S16_{_ORDER}", "-"),
    ("play", "-q", *_RAW, "-e", "signed-integer", "-b", "16", "-"),
    ("ffplay", *_QUIET, "-f", f"s16{_ORDER.lower()}", "-ar", "8000", "-"),
)
"""Those that take sound as it comes: 8 kHz, one channel, 16 bits in this machine's byte order."""


def find_live_player() -> tuple[str, ...]:
    """The command that plays a call while it runs; empty where none can."""
    return next((player for player in LIVE if shutil.which(player[0])), ())


def find_player() -> tuple[str, ...] | None:
    """The command that plays a file, or None."""
    return next((player for player in PLAYERS if shutil.which(player[0])), None)


def no_player() -> str:
    """What to say where there is none."""
    names = ", ".join(player[0] for player in PLAYERS)
    return f"--play: this machine has none of {names}. Fix: apt install sox, or open the WAV files"


def play(files: Iterable[Path], tell: Callable[[str], None]) -> None:
    """Play files one after the other, until Ctrl-C."""
    if (player := find_player()) is None:
        tell(no_player())
        return
    try:
        for file in files:
            tell(f"playing {file} with {player[0]} (Ctrl-C ends it)")
            done = subprocess.run([*player, str(file)], stderr=subprocess.PIPE, check=False)
            if done.returncode:
                said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
                tell(f"{player[0]} ended with {done.returncode}: {said[-1]}; open the file yourself")
                return
    except KeyboardInterrupt:
        tell("stopped")
