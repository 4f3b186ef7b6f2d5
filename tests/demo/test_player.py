"""``--play``: whatever plays a WAV here plays the calls; where nothing does, one line says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llcphone.demo.player import PLAYERS, no_player, play

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("player", PLAYERS, ids=lambda player: player[0])
def test_each_player_gets_the_files_in_order(
    player: tuple[str, ...], bin_folder: Path, tmp_path: Path
) -> None:
    program(bin_folder / player[0], f'echo "$@" >> "{tmp_path}/played"')
    said: list[str] = []
    play([tmp_path / "call.wav", tmp_path / "call two.wav"], said.append)
    options = " ".join([*player[1:], ""])
    assert (tmp_path / "played").read_text().splitlines() == [
        f"{options}{tmp_path}/call.wav",
        f"{options}{tmp_path}/call two.wav",
    ]
    assert said[0] == f"playing {tmp_path}/call.wav with {player[0]} (Ctrl-C ends it)"


def test_a_player_without_a_sound_card_is_said_once(bin_folder: Path, tmp_path: Path) -> None:
    program(bin_folder / "aplay", "echo 'aplay: main:831: audio open error' >&2; exit 1")
    said: list[str] = []
    play([tmp_path / "a.wav", tmp_path / "b.wav"], said.append)
    assert said[1:] == ["aplay ended with 1: aplay: main:831: audio open error; open the file yourself"]


def test_no_player_is_one_line_with_what_would_do(bin_folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    play([tmp_path / "a.wav"], said.append)
    assert said == [no_player()]
    assert "apt install sox" in said[0]
