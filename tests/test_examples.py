"""Every example runs as it stands, against the simulators, and stays small."""

from __future__ import annotations

import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.patience import HANG_S

EXAMPLES = Path(__file__).parent.parent / "examples"
RUNNABLE = sorted(path for path in EXAMPLES.glob("*.py") if not path.name.startswith("_"))

SAYS = {
    "campaign": "Gus Olsen      a table for two at six                     a machine answered",
    "answer_a_call": "caller hung up after",
    "my_mode": "to be read back: room 12 at 06:30",
    "tools": "ordered 2 rye for Saturday",
    "approve_a_tool": "refunded 9.0 euros, once",
    "in_my_app": "oven is fine, 1 on the phone",
    "own_route": "the caller heard",
    "from_asyncio": "oven is fine, says asyncio",
    "asyncio_tool": "asyncio says that rye costs four euros",
    "test_my_agent": "passed, in virtual time",
}


REAL_TIME = {"from_asyncio", "asyncio_tool", "test_my_agent"}
"""Examples that asyncio keeps waiting, and one that brings a clock of its own: each a process."""


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
@pytest.mark.slow
def test_an_example_runs_by_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """That each also runs with the modules and the clock of a process of its own, test_programs.py sees."""
    if path.stem in REAL_TIME:
        command = [sys.executable, "-W", "error::ResourceWarning", str(path)]
        subprocess.run(command, timeout=HANG_S, check=True)
    else:
        monkeypatch.syspath_prepend(str(EXAMPLES))
        monkeypatch.setattr(sys, "argv", [str(path)])
        monkeypatch.setattr(trio, "run", partial(trio.run, clock=MockClock(autojump_threshold=0)))
        runpy.run_path(str(path), run_name="__main__")
    told = capfd.readouterr()
    assert SAYS[path.stem] in told.out
    assert "Traceback" not in told.err


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_an_example_is_one_idea_under_sixty_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 60
