"""A script of the simulated GPT-Live from a TOML or JSON file, for the command line.

The format is that of the Realtime simulator (``llcphone/sim/model/load.py``), with one more key:

    barge_ins = ["yield", "talk on", "backchannel"]    # for each caller who cuts in; then yield

``write`` and ``cancel`` steps and ``out_of_band`` mean nothing to GPT-Live and are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from llcphone.sim.live.script import BargeIn, LiveScript, checked
from llcphone.sim.model.load import ScriptError, read_tables, script_fields
from llcphone.sim.model.script import steps_of

_TOP = {"turns", "otherwise", "hears", "barge_ins", "odd"}


def load_live_script(path: Path | str) -> LiveScript:
    """Read a ``.toml`` or ``.json`` script.

    Raises:
        ScriptError: the file is not a script; the text names the turn.
        OSError: the file cannot be read.
    """
    path = Path(path)
    data = read_tables(path, _TOP)
    barge_ins, known = data.get("barge_ins", []), get_args(BargeIn)
    if not isinstance(barge_ins, list) or not all(each in known for each in barge_ins):
        raise ScriptError(f"{path.name}: barge_ins is a list of {', '.join(known)}")
    script = LiveScript(**script_fields(data, path), barge_ins=tuple(barge_ins))
    assert isinstance(script.turns, list)
    for number, turn in enumerate(script.turns, 1):
        try:
            checked(steps_of(turn))
        except ValueError as error:
            raise ScriptError(f"turn {number}: {error}") from None
    return script
