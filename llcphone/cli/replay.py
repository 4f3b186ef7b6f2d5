"""``llcphone replay FILE``: give a call's tape to this version's engine and see whether it decides the same.

The tape holds the call's own times, so an hour takes a second. With ``--accept`` the decisions of this
version are written into the file: that makes a field problem, once fixed, a regression test.

Exit codes: 0 the same decisions, 1 another one, 2 the file is no tape.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from llcphone.engine.tape.recorder import Frames, Step, accepted
from llcphone.engine.tape.recorder import replay as replayed
from llcphone.errors import ConfigError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llcphone.engine.tape.codec import Data
    from llcphone.engine.tape.recorder import Difference, Replay


def replay(file: Path, /, *, accept: bool = False) -> None:
    """Give the tape of a call to this version's engine: it must decide the same.

    Args:
        file: a file from the folder records.blackbox_dir.
        accept: write this version's decisions into the file.
    """
    sys.exit(run_replay(file, accept=accept, tell=print))


def run_replay(path: Path, *, accept: bool, tell: Callable[[str], None]) -> int:
    """Replay a file and report the result; returns the exit code.

    Raises:
        ConfigError: the file cannot be read as a tape.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
        outcome = replayed(lines)
        told = list(report(outcome))
        if accept and outcome.difference is not None:
            _replace(path, accepted(lines, version=importlib.metadata.version("llcphone")))
            told.append("Accepted: the tape now holds what this version decides.")
    except (OSError, RemoteProtocolError) as exc:
        why = str(exc) if isinstance(exc, RemoteProtocolError) else exc.strerror
        raise ConfigError(
            str(path), f"cannot be replayed: {why}", "name a complete file from records.blackbox_dir"
        ) from None
    for line in told:
        tell(line)
    return 0 if accept or outcome.difference is None else 1


def report(outcome: Replay) -> Iterator[str]:
    if outcome.difference is None:
        yield (
            f"The same decisions: {outcome.steps} steps and {outcome.frames} frames over "
            f"{outcome.lasted_ms / 1000:.1f} s, recorded by llcphone {outcome.version}."
        )
        if outcome.cut:
            yield f"The tape ends before its call: {outcome.cut}."
        return
    found = outcome.difference
    yield (
        f"Another decision at step {outcome.steps}, {found.after_ms / 1000:.3f} s after the call's birth "
        f"(line {found.line}): {_event_words(found)}"
    )
    yield f"  - recorded by llcphone {outcome.version}, + decided now"
    before, after = list(_decision_words(found.recorded)), list(_decision_words(found.replayed))
    for line in difflib.ndiff(before, after):
        if not line.startswith("?"):
            yield f"  {line}"


def _event_words(found: Difference) -> str:
    line = found.recorded
    return f"{line.frames} caller frames" if isinstance(line, Frames) else _words(line.event)


def _decision_words(line: Step | Frames) -> Iterator[str]:
    if isinstance(line, Frames):
        yield f"{line.sent} of {line.frames} frames go on to the model"
        return
    if isinstance(line.decided, str):
        yield line.decided
    else:
        for command in line.decided:
            times = f"{command[2]} times " if len(command) > 2 else ""
            yield times + _words(command)
    yield "only events can wake it" if line.wake_ms is None else f"wakes in {line.wake_ms} ms"


def _words(data: Data) -> str:
    """``SendModel Truncate item_id="i2" audio_end_ms=1840``: a thing on tape, for a reader."""
    kind, fields = data[0], data[1]
    parts = [kind]
    for name, value in fields.items():
        nested = isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict)
        parts.append(_words(value) if nested else f"{name}={_json(value)}")
    return " ".join(parts)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _replace(path: Path, lines: list[bytes]) -> None:
    """Write the whole file or leave it as it is."""
    beside = path.with_name(path.name + ".new")
    with open(beside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.writelines(lines)
    os.replace(beside, path)
