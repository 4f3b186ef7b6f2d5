"""``llcphone phone``, as a person starts it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.patience import START_S

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "PYTHONPYCACHEPREFIX", "TMPDIR")
"""Of the environment: settings of whoever runs the tests stay out."""

ROOT = Path(__file__).parent.parent.parent


class Program:
    """A running one. Each line of its input is answered by a new link."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.began_at = time.monotonic()
        self.last: dict[str, Any] = {}
        """What it said last."""
        self._first: dict[str, Any] | None = self._read()
        self.origin = str(self._first["origin"])
        self.port = int(self._first["port"])

    def link(self, asked: str = "") -> str:
        """A link that nobody has used; ``asked`` is for programs that know more than one kind."""
        if self._first is None or asked:
            assert self.process.stdin is not None
            self.process.stdin.write(f"{asked}\n")
            self.process.stdin.flush()
            return str(self._read()["url"])
        url, self._first = str(self._first["url"]), None
        return url

    @property
    def waited_s(self) -> float:
        """How long its main thread could run and no processor was free, where the system says so."""
        try:
            schedule = Path(f"/proc/{self.process.pid}/schedstat").read_text()
        except OSError:
            return 0.0
        return int(schedule.split()[1]) / 1e9

    @property
    def log(self) -> str:
        """What it said on its standard error."""
        return (self.folder / "log").read_text()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        hang = threading.Timer(START_S, self.process.kill)
        hang.start()
        try:
            line = self.process.stdout.readline()
        finally:
            hang.cancel()
        assert line, f"llcphone phone has ended: {self.log}"
        self.last = json.loads(line)
        return self.last


@contextlib.contextmanager
def phone_program(*options: str, port: int = 0) -> Iterator[Program]:
    """Run it with the simulated model; port 0 is a free one."""
    usual = ("--sim", "--no-open", "--json", "--port", str(port))
    with running("llcphone", "phone", *usual, *options) as program:
        yield program


@contextlib.contextmanager
def running(module: str, *arguments: str) -> Iterator[Program]:
    """Run such a program in an empty folder; it must end in peace."""
    command = [sys.executable, "-m", module, *arguments]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="llcphone-browser-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        log = stack.enter_context((folder / "log").open("w"))
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=environment,
            text=True,
        )
        with process:
            try:
                program = Program(process, folder)
                yield program
                process.terminate()
                assert process.wait(START_S) == 0, program.log
                assert "Traceback" not in program.log, program.log
            finally:
                process.kill()
