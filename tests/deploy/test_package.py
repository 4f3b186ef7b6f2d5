"""The wheel, made of the source archive, works in an empty folder: every command, without the repository.

By the Python of the tests, or those that ``PACKAGE_PYTHONS`` names (``"3.11 3.12 3.13"``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from email import message_from_string
from pathlib import Path

import attrs
import pytest

from llcphone.sim.ports import free_port
from tests.deploy.programs import ROOT, program
from tests.patience import HANG_S, START_S

pytestmark = [pytest.mark.deploy, pytest.mark.slow]

PYTHONS = os.environ.get("PACKAGE_PYTHONS", sys.executable).split()
INSTALL_S = 300
_COMMANDS = """
from llcphone.cli.entry import app
def leaves(app, words):
    names = [name for name in app if not name.startswith("-")]
    for name in names:
        yield from leaves(app[name], [*words, name])
    if not names:
        yield " ".join(words)
print(*leaves(app, []), sep="\\n")
"""
"""Every command, by the program's own list."""

NUMBER = "+15005550006"
ENDS: dict[str, tuple[str, int]] = {
    "init": (
        "--company Bakery --mode own --prompt Hello --account-sid AC00000000000000000000000000000000 "
        f"--number {NUMBER} --public-url https://phone.example.com",
        0,
    ),
    "new": ("agent.py", 0),
    "demo": ("--inbound-only --quiet", 0),
    "doctor": ("--only settings --json", 0),
    "store demo": ("", 0),
    "store purge": ("--number +15005550001 --dry-run", 0),
    "calls": ("", 0),
    "show": ("nobody", 1),
    "transcript": ("nobody", 1),
    "export": ("", 0),
    "config": ("--explain", 0),
    "prompt": ("--agent agent.py", 0),
    "mode": ("receptionist mode.py", 0),
    "snapshot save": ("good --why tried", 0),
    "snapshot list": ("", 0),
    "snapshot show": ("rescue", 0),
    "snapshot diff": ("rescue", 0),
    "snapshot restore": ("rescue --yes --no-restart", 2),
    "rescue": ("--dry-run --yes --no-restart", 2),
    "skill build": ("skills", 0),
    "unit": ("haproxy --node n1=127.0.0.1:8081", 0),
    "dnc add": (NUMBER, 2),
    "dnc list": ("", 2),
    "dnc remove": (NUMBER, 2),
    "call": ("+15005550009", 1),
    "number show": ("", 2),
    "number set-webhook": ("--yes", 2),
    "console": ("", 2),
    "tunnel": ("--yes", 2),
    "certify": ("--only model", 2),
    "torture": ("--list", 0),
    "replay": ("nothing.tape", 2),
    "sim phone": ("", 1),
    "status": ("", 1),
    "start": ("--agent agent.py", 0),
    "restart": ("", 1),
    "stop": ("", 0),
}
"""What each command is asked for, in this order, and its exit code without accounts or a network.

Exit code 2 is the line that says what is missing: an account, a database, a program, a free variable.
"""
SERVE: dict[str, str] = {
    "serve": "--agent agent.py",
    "phone": "--sim --no-open --port 0",
    "tail": "",
    "sim model": "--port {port}",
    "sim live": "--port {port}",
    "sim twilio": "--port {port}",
}
"""Commands that go on until Ctrl-C."""


@attrs.frozen
class Installed:
    """The package in an environment of its own, used in an empty folder."""

    python: Path
    folder: Path
    port: int

    @property
    def environ(self) -> dict[str, str]:
        """No setting and no folder of the developer's."""
        return {
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LLCPHONE_SERVER__PORT": str(self.port),
            "LLCPHONE_DRAIN__LIMIT_S": "0",
            "LLCPHONE_PROCESS__START_TIMEOUT_S": str(START_S),
            "OPENAI_API_KEY": "sk-installed-0123456789",
            "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
            "LLCPHONE_REALTIME__URL": "ws://127.0.0.1:9/v1/realtime",
            "LLCPHONE_TWILIO__API_URL": "http://127.0.0.1:9",
            "COLUMNS": "200",
            "PYTHONUNBUFFERED": "1",
        }

    def start(self, command: str, arguments: str) -> subprocess.Popen[str]:
        """One command, as somebody types it."""
        return subprocess.Popen(
            [str(self.python.parent / "llcphone"), *command.split(), *arguments.split()],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """The source archive, and the wheel that is made of it."""
    folder = tmp_path_factory.mktemp("dist")
    uv = [program("uv"), "build", "--quiet", "--out-dir", str(folder)]
    subprocess.run(uv, cwd=ROOT, check=True, timeout=INSTALL_S)
    return folder


def wheel_of(packages: Path) -> Path:
    (wheel,) = packages.glob("*.whl")
    return wheel


@pytest.mark.parametrize("python", PYTHONS, ids=lambda name: Path(name).name)
def test_every_command_works_without_the_repository(packages: Path, python: str, tmp_path: Path) -> None:
    environment, folder = tmp_path / "venv", tmp_path / "empty"
    folder.mkdir()
    uv = [program("uv"), "--quiet"]
    subprocess.run([*uv, "venv", "--python", python, str(environment)], check=True, timeout=INSTALL_S)
    installed = Installed(environment / "bin" / "python", folder, free_port())
    install = [*uv, "pip", "install", "--python", str(installed.python), str(wheel_of(packages))]
    subprocess.run(install, check=True, timeout=INSTALL_S)
    listed = subprocess.run(
        [str(installed.python), "-c", _COMMANDS], cwd=folder, capture_output=True, text=True, check=True
    )
    assert sorted(listed.stdout.split("\n")[:-1]) == sorted([*ENDS, *SERVE]), "say how a new command is tried"
    wrong = [
        line for command, (words, code) in ENDS.items() if (line := ended(installed, command, words, code))
    ]
    wrong += [line for command, words in SERVE.items() if (line := interrupted(installed, command, words))]
    assert not wrong, "\n".join(wrong)


def ended(installed: Installed, command: str, words: str, code: int) -> str:
    """What was wrong with a command that ends by itself."""
    process = installed.start(command, words)
    told, _ = process.communicate(timeout=INSTALL_S)  # the demo talks for half a minute
    return _wrong(process, command, told, {code})


def interrupted(installed: Installed, command: str, words: str) -> str:
    """What was wrong with a command that is ended by Ctrl-C once it has said something."""
    process = installed.start(command, words.format(port=installed.port))
    assert process.stdout is not None
    silent = threading.Timer(INSTALL_S, process.kill)  # one that says nothing has failed, and blocks no run
    silent.start()
    if command == "tail":  # it says nothing until a call ends
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        first = ""
    else:
        first = process.stdout.readline()
    silent.cancel()
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=HANG_S)
    return _wrong(process, command, first + told, {0, 130})


def _wrong(process: subprocess.Popen[str], command: str, told: str, codes: set[int]) -> str:
    if "Traceback" not in told and process.returncode in codes:
        return ""
    return f"llcphone {command}: exit code {process.returncode}: {told[-1500:]}"


def test_the_packages_hold_what_is_needed_and_nothing_private(packages: Path) -> None:
    with zipfile.ZipFile(wheel_of(packages)) as wheel:
        names = set(wheel.namelist())
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        told = message_from_string(wheel.read(metadata).decode())
    needed = ("py.typed", "console/web/index.html", "units/haproxy.cfg", "_docs/10-deploy.md", "_snapshots")
    missing = [each for each in needed if not any(name.startswith(f"llcphone/{each}") for name in names)]
    assert missing == []
    assert not [name for name in names if not name.startswith(("llcphone/", "llcphone-"))]
    assert {each.partition(",")[0] for each in told.get_all("Project-URL", [])} >= {
        "Documentation",
        "Source",
        "Issues",
        "Changelog",
    }
    assert "Typing :: Typed" in told.get_all("Classifier", [])
    assert told["License-Expression"] == "MIT AND Apache-2.0"
    assert told["Keywords"]
    (archive,) = packages.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        inside = {name.partition("/")[2] for name in source.getnames()}
    assert {
        "deploy/Dockerfile",
        "deploy/compose.yaml",
        "CHANGELOG.md",
        "tests/deploy/test_package.py",
    } <= inside
    private = (".db", ".pem", "/.env")
    assert not [name for name in names | inside if f"/{name}".endswith(private)]


def test_the_package_index_takes_them(packages: Path) -> None:
    files = [str(path) for path in packages.iterdir() if path.suffix in (".whl", ".gz")]
    done = subprocess.run(
        [program("twine"), "check", "--strict", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
