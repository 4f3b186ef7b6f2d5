"""``--play``: whatever plays a WAV here plays the calls; where nothing does, one line says so."""

from __future__ import annotations

import shutil
from array import array
from typing import TYPE_CHECKING, cast

import attrs
import pytest
import trio

from llcphone.demo.listening_in import LAST_WORD_S, mixed, play_live
from llcphone.demo.player import PLAYERS, find_live_player, no_player, play
from llcphone.sim import ulaw

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.sim.twilio import SimCall

SPEECH = b"\xb0" * 4000
CAT, SLEEP = shutil.which("cat"), shutil.which("sleep")


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


# -- while the call goes on ------------------------------------------------------------------------


@attrs.define
class OnTheLine:
    """A call of which 500 ms have been said and heard; its clock is Trio's."""

    said: tuple[tuple[float, bytes], ...] = ((0.0, SPEECH),)
    ear: tuple[tuple[float, bytes], ...] = ((250.0, SPEECH),)

    @property
    def log(self) -> OnTheLine:
        return self

    @property
    def now_ms(self) -> int:
        return round(trio.current_time() * 1000)


def size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def test_voices_are_mixed_at_their_own_times_whatever_the_pieces() -> None:
    call = OnTheLine()
    whole = mixed(call.said, call.ear, 0, 1000)
    assert len(whole) == 16_000
    assert whole == b"".join(mixed(call.said, call.ear, at, at + 100) for at in range(0, 1000, 100))
    samples, one = array("h", whole), ulaw.decode(SPEECH)[0]
    assert (samples[0], samples[2000], samples[4000], samples[6000]) == (one, 2 * one, one, 0)


def test_two_loud_voices_are_cut_at_the_limit() -> None:
    loudest = ((0.0, b"\x80"),)
    assert array("h", mixed(loudest, loudest, 0, 1))[0] == 32767


async def test_a_call_is_played_while_it_goes_on(bin_folder: Path, tmp_path: Path) -> None:
    program(bin_folder / "aplay", f'echo "$@" > "{tmp_path}/options"; exec {CAT} > "{tmp_path}/played"')
    said: list[str] = []
    async with play_live(cast("SimCall", OnTheLine()), find_live_player(), said.append):
        while size_of(tmp_path / "played") < 8000:  # noqa: ASYNC110 (another process writes)
            await trio.sleep(0.01)
    assert (tmp_path / "options").read_text() == "-q -t raw -r 8000 -c 1 -f S16_LE -\n"
    assert said == []


async def test_a_player_that_ends_is_said_and_ends_nothing_else(bin_folder: Path) -> None:
    program(bin_folder / "play", "exit 1")
    said: list[str] = []
    async with play_live(cast("SimCall", OnTheLine()), find_live_player(), said.append):
        while not said:  # noqa: ASYNC110 (another process ends)
            await trio.sleep(0.01)
    assert said == ["play has ended: no sound from here on. Fix: open the WAV files"]


@pytest.mark.slow
async def test_a_player_that_hangs_keeps_nobody(bin_folder: Path) -> None:
    program(bin_folder / "play", f"exec {SLEEP} 60")
    with trio.fail_after(LAST_WORD_S + 20):
        async with play_live(cast("SimCall", OnTheLine()), find_live_player(), print):
            await trio.sleep(0.01)


async def test_without_a_player_the_call_goes_on_unheard(bin_folder: Path) -> None:
    async with play_live(cast("SimCall", OnTheLine()), find_live_player(), print):
        pass
