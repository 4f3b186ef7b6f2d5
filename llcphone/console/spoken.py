"""Typed words spoken by espeak-ng, where this machine has it."""

from __future__ import annotations

import shutil
import subprocess

import trio

from llcphone.sim.wav import SpeechFileError, decode_speech

LIMIT_S = 10.0
"""For all of it; a sentence takes a tenth of a second."""


def can_speak() -> bool:
    """Whether there is a voice."""
    return shutil.which("espeak-ng") is not None


async def spoken(text: str) -> bytes | None:
    """These words as 8 kHz µ-law; None if they cannot be spoken here."""
    espeak = shutil.which("espeak-ng")
    if espeak is None:
        return None
    command = [espeak, "--stdin", "--stdout", "-s", "150"]
    with trio.move_on_after(LIMIT_S):
        try:
            run = await trio.run_process(
                command, stdin=text.encode(), capture_stdout=True, stderr=subprocess.DEVNULL, check=False
            )
            # Resampling takes longer than a frame: not in the loop that carries audio.
            return await trio.to_thread.run_sync(decode_speech, run.stdout, "spoken.wav")
        except (OSError, SpeechFileError):
            return None
    return None
