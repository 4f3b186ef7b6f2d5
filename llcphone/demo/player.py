"""``--play``: the calls aloud, by whatever plays a WAV on this machine."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PLAYERS = (
    ("afplay",),
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("play", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("mpv", "--no-video", "--really-quiet"),
)
"""Of macOS, PipeWire, PulseAudio, ALSA, SoX, FFmpeg; the first that is there plays."""


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
