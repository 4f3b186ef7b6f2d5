"""``llcphone demo``: whole calls on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from llcphone.cli.options import ConfigPath


def demo(
    *,
    caller: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    out: Path = Path("demo-out"),
    dialect: Literal["ga", "flat"] = "ga",
    inbound_only: bool = False,
    quiet: bool = False,
    play: bool = False,
    mode: Literal["ivr", "receptionist", "csr", "outbound"] | None = None,
    dial: str = "",
    config: ConfigPath = None,
) -> None:
    """Hold whole calls over loopback with simulators of both vendors; no account needed.

    Args:
        caller: WAV files of your own speech, one for each turn, instead of the scripted caller.
        out: where the stereo WAV, the timeline and the call record go.
        dialect: what the simulated Realtime API speaks.
        inbound_only: only the inbound call, not the outbound one.
        quiet: print the summary only.
        play: play the calls aloud, with any audio player of this machine.
        mode: one call with this mode instead, by your settings (company, routes, modules).
        dial: one call to this number instead: your routes choose the agent.
    """
    if mode or dial:
        from llcphone import settings
        from llcphone.demo.mode_run import run_mode

        loaded = settings.load(config).config
        out.mkdir(parents=True, exist_ok=True)  # if that cannot be, before the call and not after it
        sys.exit(run_mode(loaded, mode or "", out, dial=dial, quiet=quiet, aloud=play))
    from llcphone.demo.main import run_demo

    files = caller or []
    sys.exit(run_demo(out, caller=files, dialect=dialect, inbound_only=inbound_only, quiet=quiet, aloud=play))
