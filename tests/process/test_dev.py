"""``./dev``: which Python it takes, who brings uv, and what it says when neither is there.

The script itself runs; what it finds on PATH, Pythons and uv, are scripts of the test's own.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import attrs
import pytest

DEV = Path(__file__).parents[2] / "dev"
ASKED = "import sys; raise SystemExit(sys.version_info < (3, 11))"  # what ./dev asks each Python


@attrs.frozen
class Checkout:
    """A checkout, and a machine with nothing but a shell."""

    folder: Path
    bin: Path

    def program(self, name: str, script: str) -> None:
        """Put a program on this machine's PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def python(self, name: str, *, fits: bool) -> None:
        """A Python; an old one can make a venv, too, and its pip installs uv."""
        inside = f'mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "{name} -m venv $3" >>calls'
        pip = 'cp "$(dirname "$0")/../../bin/uv.not_yet" .uv/bin/uv; echo "pip $*" >>calls'
        fit = f"exit {int(not fits)}"
        self.program(name, f'case "$2" in\n"{ASKED}") {fit} ;;\nvenv) {inside} ;;\npip) {pip} ;;\nesac')

    def uv(self, name: str = "uv", *, version: str = "3.13", exit_code: int = 0) -> None:
        """A uv whose venv holds a Python of this version."""
        made = f"#!/bin/sh\\necho {version}\\n"
        self.program(
            name,
            'echo "uv $*" >>calls\nmkdir -p .venv/bin\n'
            f"printf '{made}' >.venv/bin/python\nprintf '#!/bin/sh\\n' >.venv/bin/llcphone\n"
            f"chmod +x .venv/bin/*\nexit {exit_code}",
        )

    def run(self, *words: str, **environ: str) -> tuple[int, str, str]:
        """Exit code, standard output and what was said on standard error."""
        done = subprocess.run(
            ["./dev", *(words or ("setup",))],
            cwd=self.folder,
            env={"PATH": str(self.bin), **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    @property
    def calls(self) -> list[str]:
        """What was started, in order, since the last look."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return lines


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    checkout = Checkout(tmp_path, tmp_path / "bin")
    checkout.bin.mkdir()
    for name in ("sh", "cat", "cksum", "dirname", "mkdir", "cp", "chmod"):
        found = shutil.which(name)
        assert found is not None
        (checkout.bin / name).symlink_to(found)
    shutil.copy(DEV, tmp_path / "dev")
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text("")
    return checkout


def test_with_no_python_that_fits_uv_brings_one(checkout) -> None:
    checkout.python("python3", fits=False)
    checkout.uv()
    code, out, said = checkout.run()
    assert (code, out) == (0, "ready: .venv/bin/llcphone --help\n")
    assert "no Python from 3.11 on was found on PATH; uv brings 3.13" in said
    assert checkout.calls == ["uv sync --quiet --locked --python 3.13"]


def test_an_old_python_is_good_enough_to_install_uv_which_brings_a_new_one(checkout) -> None:
    checkout.python("python3", fits=False)
    checkout.uv("uv.not_yet")
    for _ in range(2):  # uv is installed once
        assert checkout.run()[0] == 0
        (checkout.folder / ".venv/made_of").unlink()
    made, pip, *syncs = checkout.calls
    assert made == "python3 -m venv .uv"
    assert pip.startswith("pip -m pip install")
    assert syncs == ["uv sync --quiet --locked --python 3.13"] * 2


def test_without_python_and_uv_it_says_what_to_install(checkout) -> None:
    code, out, said = checkout.run()
    assert (code, out) == (2, "")
    assert said.endswith("uv is missing, and no Python 3 is there to install it. Fix: install uv\n")


def test_where_uv_cannot_bring_one_the_versions_to_install_are_named(checkout) -> None:
    checkout.uv(exit_code=2)
    code, out, said = checkout.run()
    assert (code, out) == (2, "")
    assert said.splitlines()[-1].endswith("Fix: install Python 3.11, 3.12 or 3.13, then try again")
    checkout.python("python3", fits=True)
    assert "Fix: let this machine reach the package index" in checkout.run()[2]
    assert len(checkout.calls) == 2, "a set-up that failed is tried again"


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (["python3", "python3.11", "python3.12"], "python3.12"),
        (["python3", "python"], "python3"),
        (["python"], "python"),
    ],
)
def test_the_newest_python_that_is_tested_is_taken(checkout, there: list[str], taken: str) -> None:
    checkout.python("python3.13", fits=False)  # as pyenv's, for a version that is not switched on
    for name in there:
        checkout.python(name, fits=True)
    checkout.uv()
    assert checkout.run()[0] == 0
    assert checkout.calls == [f"uv sync --quiet --locked --python {checkout.bin / taken}"]


def test_the_python_that_is_asked_for_goes_first_and_is_missed_by_name(checkout) -> None:
    checkout.python("python3.11", fits=True)
    checkout.python("python3.13", fits=True)
    checkout.uv()
    assert checkout.run(PYTHON="python3.11")[0] == 0
    code, _, said = checkout.run(PYTHON="python3.10")
    assert code == 0
    assert "PYTHON=python3.10 is no Python from 3.11 on; looking for another" in said
    assert [call.rpartition("/")[2] for call in checkout.calls] == ["python3.11", "python3.13"]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14", "4.0"])
def test_a_version_that_is_not_tested_is_used_and_said(checkout, version: str) -> None:
    checkout.python("python3", fits=True)
    checkout.uv(version=version)
    code, _, said = checkout.run()
    assert code == 0
    tested = version in ("3.11", "3.12", "3.13")
    assert ("is not tested" not in said) == tested
    if not tested:
        assert said.endswith(f"dev: Python {version} is not tested; 3.11, 3.12 and 3.13 are\n")


def test_a_second_set_up_does_nothing_until_something_changed(checkout) -> None:
    checkout.python("python3", fits=True)
    checkout.uv()
    first, second = checkout.run(), checkout.run()
    assert first[0] == second[0] == 0
    assert second[2] == ""
    assert len(checkout.calls) == 1
    (checkout.folder / "uv.lock").write_text("changed")
    assert checkout.run()[0] == 0
    assert len(checkout.calls) == 1


def test_what_the_tests_compile_is_kept_but_not_in_the_source(checkout) -> None:
    checkout.python("python3", fits=True)
    checkout.uv(version='"$PYTHONPYCACHEPREFIX:$PYTHONDONTWRITEBYTECODE"')
    assert checkout.run("test", PYTHONDONTWRITEBYTECODE="1")[1] == f"{checkout.folder}/.venv/compiled:\n"
    assert checkout.run("test")[1] == ":\n", "as Python does it by itself"


def test_a_word_it_does_not_know_is_answered_with_those_it_knows(checkout) -> None:
    code, out, said = checkout.run("tests")
    assert (code, out) == (2, "")
    assert said.startswith("usage: ./dev phone | setup | demo | test | check")


@pytest.mark.parametrize("command", ["phone", "demo"])
def test_a_command_of_llcphone_gets_the_words_behind_it(command: str, checkout) -> None:
    checkout.python("python3", fits=True)
    checkout.uv()
    assert checkout.run()[0] == 0
    (checkout.folder / ".venv/bin/llcphone").write_text('#!/bin/sh\necho "llcphone $*"\n')
    assert checkout.run(command, "--sim", "a b")[:2] == (0, f"llcphone {command} --sim a b\n")
