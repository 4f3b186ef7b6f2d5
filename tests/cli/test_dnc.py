"""``llcphone dnc``: the list of all processes, from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llcphone.cli import entry
from llcphone.testing import write_toml
from tests.shared.kit import Process, calls

if TYPE_CHECKING:
    from pathlib import Path

NUMBER, OTHER = "+14155550100", "+14155550199"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_toml(tmp_path / "llcphone.toml", {"shared": {"url": "sqlite:///shared.db"}})
    return "sqlite:///shared.db"


def test_what_is_added_is_dialled_by_no_process_until_it_is_removed(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list").write_text(f"# asked us\n{OTHER}\n")
    assert entry.run(["dnc", "add", "+1 415 555 0100", "--file", "list"]) == 0
    assert entry.run(["dnc", "add", NUMBER]) == 0
    assert capsys.readouterr().out == "2 added, 0 were on the list\n0 added, 1 were on the list\n"
    process = Process(url, "n1")
    assert process.admit(calls(), NUMBER) == "do_not_call"
    assert entry.run(["dnc", "list"]) == 0
    assert capsys.readouterr().out == f"{NUMBER}\n{OTHER}\n"
    assert entry.run(["dnc", "remove", NUMBER]) == 0
    assert entry.run(["dnc", "remove", NUMBER]) == 1
    assert process.admit(calls(), NUMBER) == ""
    process.place.close()
    capsys.readouterr()
    assert entry.run(["dnc", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"numbers": [OTHER]}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add"], "no number is given. Fix: name numbers"),
        (["add", "611"], "dnc add: is not a telephone number. Fix: write it as"),
        (["add", "--file", "nowhere"], "--file: cannot be read"),
        (["remove", "x"], "dnc remove: is not a telephone number"),
    ],
)
def test_a_mistake_is_one_line_with_the_fix(
    url: str, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.run(["dnc", *words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("", "shared.url: is not set, so processes share no list. Fix: set it, or write"),
        ("sqlite:////nowhere/at/all.db", "shared.url: cannot be used"),
        ("postgresql://nobody@127.0.0.1:1/x", "shared.url: cannot be used"),
    ],
)
def test_a_database_that_cannot_be_had_is_named(
    where: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_toml(tmp_path / "llcphone.toml", {"shared": {"url": where}})
    assert entry.run(["dnc", "list"]) == 2
    assert told in capsys.readouterr().err
