"""``llcphone demo --mode`` from its first line to its exit code; ``modes`` holds the call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio
from rich.console import Console

from llcphone.demo.player import find_live_player, find_player, no_player, play
from llcphone.demo.view import CallView
from llcphone.errors import ConfigError
from llcphone.validation.phone_numbers import is_number

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.config import Config

INTRODUCTION = (
    "One call on this computer, without account or network: the telephone and the model are simulated, "
    "the server between them is the real one. What the model says is scripted."
)


def run_mode(
    config: Config, mode: str, out: Path, *, dial: str = "", quiet: bool = False, aloud: bool = False
) -> int:
    """Hold one call with a mode, and report how it went; 0 if the call came to a good end.

    Args:
        config: the user's settings; accounts and addresses in it are not used.
        mode: ``ivr``, ``receptionist``, ``csr`` or ``outbound``.
        out: folder for ``call-<agent>.wav``.
        dial: which number is rung; empty: one that leads to the mode.
        quiet: show the outcome only.
        aloud: play the call while it runs, or afterwards where no player here can do that.

    Raises:
        ConfigError: a setting or the number cannot be used.
    """
    if dial and not is_number(dial):
        raise ConfigError("--dial", f"{dial!r} is not a telephone number", "write it as +<country><number>")
    console = Console(highlight=False)
    if aloud and find_player() is None:
        console.print(no_player())
    player = find_live_player() if aloud else ()
    CallView(Console(quiet=True) if quiet else console).open_with(INTRODUCTION)
    wav, unread = None, False
    try:
        from llcphone.demo.modes import show_mode  # takes seconds: not before the first line

        wav = trio.run(partial(show_mode, config, mode, out, console, player, dial=dial, quiet=quiet))
    except* SystemExit:  # rich's word for a reader that has gone, as ``head`` does
        unread = True
    if wav is not None and aloud and not player:
        play([wav], partial(console.print, soft_wrap=True))
    return 0 if wav is not None or unread else 1
