"""Every example runs as it stands, against the simulators, and stays small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
@pytest.mark.slow
def test_an_example_runs_by_itself(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(path)],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[path.stem] in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_an_example_is_one_idea_under_sixty_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 60
