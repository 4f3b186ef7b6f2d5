"""Ctrl-C at any moment, streams that are closed or of another encoding, and what nobody can foresee."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import llcphone.cli
from llcphone import ConfigError
from llcphone.cli import entry
from llcphone.sim.ports import free_port
from tests.patience import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

INTERRUPTS_AT_IMPORT = """\
import os, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever runs the tests may ignore
MODULE = sys.argv[1]
sys.meta_path.insert(0, Interrupts())
from llcphone.cli import main
sys.argv = ["llcphone", *sys.argv[2:]]
main()
"""

SWALLOWS_IT = INTERRUPTS_AT_IMPORT.replace(
    "            os.kill(os.getpid(), signal.SIGINT)",
    """\
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                pass""",
)
"""A module that survives whatever goes wrong while it is imported, as some libraries do."""

AT_THE_END = """\
import atexit, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(os.kill, os.getpid(), signal.SIGINT)
from llcphone.cli import main
sys.argv = ["llcphone", "--version"]
main()
"""

HEEDS_CTRL_C = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from llcphone.cli import main
main()
"""


def is_interrupted(folder: Path, program: str, *words: str) -> str:
    """The program ends as interrupted, in one line; what it said on standard output."""
    argv = [sys.executable, "-c", program, *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert (done.returncode, done.stderr) == (130, "llcphone: interrupted\n")
    return done.stdout


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("cyclopts", "--version"),
        ("llcphone.cli.entry", "calls"),
        ("llcphone.config", "config"),
        ("sqlalchemy", "calls"),
        ("trio", "sim model"),
        ("llcphone.sim.model", "sim model --port 9199"),
        ("llcphone.doctor.checks", "doctor"),
        ("llcphone.demo.main", "demo"),
    ],
)
def test_ctrl_c_while_a_command_is_imported_is_one_line(module: str, command: str, tmp_path) -> None:
    is_interrupted(tmp_path, INTERRUPTS_AT_IMPORT, module, *command.split())


def test_a_library_that_swallows_ctrl_c_does_not_keep_the_command_running(tmp_path) -> None:
    said = is_interrupted(tmp_path, SWALLOWS_IT, "llcphone.cli.demo", "demo", "--mode", "csr")
    assert said == ""


def test_ctrl_c_while_the_process_ends_is_one_line_too(tmp_path) -> None:
    is_interrupted(tmp_path, AT_THE_END)


def test_nothing_is_imported_before_the_command_heeds_ctrl_c() -> None:
    program = (
        "import sys; before = set(sys.modules); import llcphone; print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert set(eval(done.stdout)) <= {"llcphone", "__future__"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["sim model --port 0", "sim twilio --to http://127.0.0.1:9/twiml --auth-token x --port 0"]
)
def test_ctrl_c_in_a_simulator_is_one_line(command: str, tmp_path) -> None:
    command = command.replace("--port 0", f"--port {free_port()}")
    with subprocess.Popen(
        [sys.executable, "-c", HEEDS_CTRL_C, *command.split()],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().endswith("The line for .env:\n")
            assert "://127.0.0.1:" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=HANG_S)
        finally:
            process.kill()
    assert (process.returncode, errors) == (130, "llcphone: interrupted\n")


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets every command end with this error."""

    def replace(error: BaseException) -> None:
        def app(*args: object, **kwargs: object) -> None:
            raise error

        monkeypatch.setattr(entry, "app", app)

    return replace


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ConfigError("a", "b", "c")]), 130, "interrupted"),
        (
            ExceptionGroup("", [ExceptionGroup("", [ConfigError("a.b", "is odd", "c")])]),
            2,
            "a.b: is odd. Fix: c",
        ),
        (PermissionError(13, "Permission denied", "x.db"), 2, "x.db: Permission denied. Fix: choose a place"),
        (OSError(28, "No space left on device"), 2, "No space left on device. Fix: free space"),
        (EOFError(), 2, "a question was not answered"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), 2, "a text is not UTF-8. Fix: "),
    ],
)
def test_what_a_command_ends_with_is_one_line(raised, error, code, told, capsys) -> None:
    raised(error)
    assert entry.run([]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"llcphone: {told}")


def test_a_fault_of_ours_is_not_hidden(raised) -> None:
    raised(ExceptionGroup("", [ConfigError("a", "b", "c"), RuntimeError("ours")]))
    with pytest.raises(ExceptionGroup):
        entry.run([])


def test_a_reader_that_has_read_enough_is_no_mistake(raised) -> None:
    raised(BrokenPipeError())
    out = sys.stdout
    try:
        assert entry.run([]) == 0
    finally:
        sys.stdout.close()
        sys.stdout = out


def test_a_terminal_of_another_encoding_gets_question_marks(monkeypatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden-0123456789")
    assert entry.run(["config", "realtime.api_key"]) == 0
    assert b"realtime.api_key = ?hidden?\n" in raw.getvalue()


def test_closed_streams_are_no_reason_to_fail(tmp_path) -> None:
    shell = f"exec {sys.executable} -m llcphone config --changed <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", shell], cwd=tmp_path, timeout=HANG_S, check=False)
    assert done.returncode == 0


def test_a_full_disk_behind_the_output_is_one_line(tmp_path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "llcphone", "config"]
        done = subprocess.run(
            words, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=HANG_S, check=False
        )
    assert done.stderr.startswith("llcphone: ")
    assert "No space left on device. Fix: free space" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_entry_point_ends_with_the_commands_code(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["llcphone", "nonsense"])
    with pytest.raises(SystemExit) as left:
        llcphone.cli.main()
    assert left.value.code == 2
