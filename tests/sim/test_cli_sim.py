"""``llcphone sim`` with what a person may type wrong: one line that says what, and exit code 2."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.patience import HANG_S

if TYPE_CHECKING:
    from pathlib import Path


def said(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "llcphone", "sim", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("model", "--script", "none.toml"), "llcphone: none.toml: No such file or directory"),
        (("model", "--script", "odd.toml"), "llcphone: turn 1: a step is one of say, call"),
        (("phone", "--say", "none.wav"), "llcphone: none.wav: No such file or directory"),
        (("phone", "--say", "odd.toml"), "llcphone: odd.toml: neither raw .ulaw nor a WAV file"),
    ],
)
def test_a_wrong_file_is_one_line(arguments: tuple[str, ...], line: str, tmp_path) -> None:
    (tmp_path / "odd.toml").write_text('turns = [{foo = "x"}]')
    assert said(*arguments, folder=tmp_path).startswith(line)


@pytest.mark.slow
def test_a_taken_port_is_named(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = said("model", "--port", str(port), folder=tmp_path)
    assert line.startswith(
        f"llcphone: 127.0.0.1, port {port}: Address already in use. Fix: name another port"
    )
