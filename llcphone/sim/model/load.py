"""A model script from a TOML or JSON file, for the command line.

    hears = ["what are your hours", "thank you"]     # caller transcripts, in order; optional
    otherwise = "Anything else?"                     # when the turns are used up; optional

    [[turns]]
    say = "Good morning, how can I help?"

    [[turns]]
    steps = [
        { say = "One moment." },
        { call = "opening_hours", arguments = { day = "sunday" } },
    ]

    [[turns]]
    say = "We open at nine."
    audio = "hours.ulaw"        # .ulaw or .wav beside this file; or milliseconds of babble

Other steps: ``write = "In text."``, ``cancel = "turn_detected"``, ``silence_ms = 800``, ``stall = true``,
``fail = "server_error"``, ``incomplete = "content_filter"``, ``event = { type = "error", error = "odd" }``; a
call with ``cut = true`` breaks off in its arguments. What is odd in events of a type is in a table of its
own; "(absent)" takes a key away:

    [odd."response.done"]
    "response.usage.input_tokens" = 12.0
    "response.metadata" = "(absent)"

JSON has the same keys, and null.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from llcphone.sim.model.script import (
    CallTool,
    Cancel,
    Event,
    Fail,
    Incomplete,
    ModelScript,
    Say,
    Silence,
    Stall,
    Step,
    Turn,
    Write,
)

_KEYS = {
    "say": {"say", "audio"},
    "call": {"call", "arguments", "hallucinated", "cut"},
    "silence_ms": {"silence_ms"},
    "stall": {"stall"},
    "fail": {"fail", "message"},
    "incomplete": {"incomplete"},
    "write": {"write"},
    "cancel": {"cancel"},
    "event": {"event"},
}
_TOP = {"turns", "otherwise", "out_of_band", "hears", "odd"}


class ScriptError(ValueError):
    """A script file says something the simulator cannot do; the text says where."""


def load_script(path: Path | str) -> ModelScript:
    """Read a ``.toml`` or ``.json`` script.

    Raises:
        ScriptError: the file is not a script; the text names the turn.
        OSError: the file cannot be read.
    """
    path = Path(path)
    return ModelScript(**script_fields(read_tables(path, _TOP), path))


def read_tables(path: Path, keys: set[str]) -> dict[str, Any]:
    """The tables of a file, which may have these keys.

    Raises:
        ScriptError: it is neither TOML nor JSON, or has other keys.
        OSError: it cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    try:
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise ScriptError(f"{path.name}: {error}") from None
    if not isinstance(data, dict) or data.keys() - keys:
        raise ScriptError(f"{path.name}: keys are {', '.join(sorted(keys))}")
    return data


def script_fields(data: dict[str, Any], path: Path) -> dict[str, Any]:
    """The fields of a ``ModelScript`` that the tables of a file name.

    Raises:
        ScriptError: the text names the turn.
    """
    turns = [_turn(turn, path.parent, f"turn {n}") for n, turn in enumerate(data.get("turns", []), 1)]
    extras: dict[str, Any] = {
        key: _turn(data[key], path.parent, key) for key in ("otherwise", "out_of_band") if key in data
    }
    odd = _odd(data.get("odd", {}), path.name)
    return {"turns": turns, "hears": tuple(data.get("hears", ())), "odd": odd, **extras}


def _odd(tables: Any, name: str) -> dict[str, dict[str, Any]]:
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ScriptError(f'{name}: odd is a table for each type of event: [odd."response.done"]')
    return {
        kind: {path: ... if value == "(absent)" else value for path, value in table.items()}
        for kind, table in tables.items()
    }


def _turn(turn: Any, folder: Path, where: str) -> Turn:
    if isinstance(turn, dict) and "steps" in turn:
        turn = turn["steps"]
    if isinstance(turn, list):
        return [_step(step, folder, where) for step in turn]
    return _step(turn, folder, where)


def _step(step: Any, folder: Path, where: str) -> Step:
    if isinstance(step, str):
        return Say(step)
    kinds = [kind for kind in _KEYS if isinstance(step, dict) and kind in step]
    if len(kinds) != 1 or step.keys() - _KEYS[kinds[0]]:
        raise ScriptError(f"{where}: a step is one of {', '.join(_KEYS)} with its own keys")
    match kinds[0]:
        case "say":
            audio = step.get("audio")
            return Say(step["say"], folder / audio if isinstance(audio, str) else audio)
        case "call":
            hallucinated = bool(step.get("hallucinated"))
            cut = bool(step.get("cut"))
            return CallTool(step["call"], step.get("arguments", {}), hallucinated=hallucinated, cut=cut)
        case "write":
            return Write(step["write"])
        case "cancel":
            return Cancel(step["cancel"])
        case "silence_ms":
            return Silence(step["silence_ms"])
        case "stall":
            return Stall()
        case "fail":
            return Fail(step["fail"], step.get("message", "The simulated server failed."))
        case "event":
            return _event(step["event"], where)
        case _:
            return Incomplete(step["incomplete"])


def _event(body: Any, where: str) -> Event:
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise ScriptError(f"{where}: an event is a table with a type")
    return Event(body)
