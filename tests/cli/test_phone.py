"""``llcphone phone`` and ``llcphone console``."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.cli import entry
from llcphone.console.access import Access
from llcphone.settings import load
from tests.console.browser import KEY, READ_KEY, Browser
from tests.patience import HANG_S

if TYPE_CHECKING:
    from pathlib import Path


def test_a_link_is_signed_with_the_key_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llcphone.toml").write_text("[console]\nport = 8082\n")
    (tmp_path / ".env").write_text(f"LLCPHONE_CONSOLE__KEY={KEY}\nLLCPHONE_CONSOLE__READ_KEY={READ_KEY}\n")

    async def enters() -> list[bool]:
        access = Access(load().config.console, KEY)
        codes = [line.partition("#in=")[2] for line in capsys.readouterr().out.splitlines()]
        return [entered[1].act for code in codes if (entered := access.enter(code)) is not None]

    assert entry.run(["console"]) == 0
    assert entry.run(["console", "--read"]) == 0
    assert trio.run(enters) == [True, False]


@pytest.mark.parametrize(
    ("toml", "names"),
    [
        ("", "console.port"),
        ("[console]\nport = 8082\n", "console.key"),
        ("[console]\nport = 1.5\n", "console.port"),
    ],
)
def test_a_console_that_is_not_there_is_said(
    toml: str, names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llcphone.toml").write_text(toml)
    assert entry.run(["console"]) == 2
    said = capsys.readouterr().err
    assert names in said
    assert "Fix: " in said


@pytest.mark.parametrize(
    "words",
    [
        ["--sim", "--real"],
        ["--script", "script.toml", "--real"],
        ["--script", "nothing.toml", "--port", "0"],
        ["--script", "agent.toml", "--port", "0"],
        ["--real"],
        ["--mode", "psychic"],
        ["--port", "70000"],
        ["--agent", "nothing.py"],
        ["--to", "ftp://phone.example.com/twiml", "--port", "0"],
    ],
)
def test_what_cannot_be_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.toml").write_text("[agent]\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-...")
    assert entry.run(["phone", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def phone(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "llcphone", "phone", "--sim", "--port", "0", "--json", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_it_opens_a_page_makes_new_links_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    program = phone(tmp_path)
    try:
        assert program.stdout is not None
        first = json.loads(program.stdout.readline())
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.flush()
        second = json.loads(program.stdout.readline())
        assert first["origin"] == second["origin"] == f"http://127.0.0.1:{first['port']}"
        assert first["url"] != second["url"]
        state = trio.run(_enter, first)
        assert state["model"] == {"kind": "simulated", "text": "simulated"}
        assert (state["mode"], state["act"], state["words"]) == ("phone", True, "show")
        assert state["agents"] == ["casa-verde"]
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=HANG_S)
        assert (program.returncode, said) == (0, "")
    finally:
        program.kill()
        program.communicate()
    assert not any(tmp_path.iterdir())


async def _enter(told: dict[str, str]) -> dict[str, object]:
    page = Browser(int(told["port"]))
    code = told["url"].partition("#in=")[2]
    page.token = (await page.ask("POST", "/api/in", {"code": code})).json["token"]
    return (await page.get("/api/state")).json


@pytest.mark.parametrize("mode", ["ivr", "receptionist", "csr"])
def test_a_mode_answers_too(mode: str, tmp_path: Path) -> None:
    program = phone(tmp_path, "--mode", mode)
    try:
        assert program.stdout is not None
        told = json.loads(program.stdout.readline())
        assert trio.run(_enter, told)["agents"] == [mode]
        program.terminate()
        assert program.wait(HANG_S) == 0
    finally:
        program.kill()
        program.communicate()
