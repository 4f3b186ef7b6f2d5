"""The file: what players read, what we read again, and what a browser gets of it."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from llcphone.recorder.folder import found, head_at, older_than, path_of
from llcphone.recorder.reading import PIECE, OutOfRange, look_at, range_of
from llcphone.recorder.wav import About, NoRecording, head_of, read_head
from llcphone.sim.wav import read_speech

if TYPE_CHECKING:
    from pathlib import Path

ADA = "+15551230001"
OWN = "+15551230009"


def written(folder: Path, call: str, samples: int = 100, **about: object) -> Path:
    path = folder / f"{call}.wav"
    audio = bytes(range(256)) * (samples * 2 // 256 + 1)
    path.write_bytes(head_of(About(call, **about), samples) + audio[: samples * 2])  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("agent", ["", "a", "ab", "ä" * 1_000, '"\\\n'])
def test_what_is_written_is_read_again(tmp_path: Path, agent: str) -> None:
    about = About("ab" * 8, "CA1", ADA, OWN, agent, 1, "cd" * 8, 1e9, 321)
    path = tmp_path / "a.wav"
    path.write_bytes(head_of(about, 3) + b"abcdef")
    head = head_at(path)
    assert head is not None
    assert (head.samples, head.about.agent) == (3, agent[:300])
    assert head.text == head_of(about, 3)
    assert (head.about.caller, head.about.after_birth_ms) == (ADA, 321)


def test_any_player_can_read_it(tmp_path: Path) -> None:
    path = written(tmp_path, "ab" * 8, 1_000)
    data = path.read_bytes()
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    assert len(read_speech(path)) == 1_000  # both channels as one: the simulator's own reader


def test_how_much_audio_there_is_says_the_size_not_the_head(tmp_path: Path) -> None:
    """The process was killed between audio and head, or the disk was full."""
    path = written(tmp_path, "ab" * 8, 100)
    with path.open("ab") as file:
        file.write(b"12345")
    head = head_at(path)
    assert head is not None
    assert head.samples == 102
    os.truncate(path, len(head.text) + 7)
    head = head_at(path)
    assert head is not None
    assert head.samples == 3


@pytest.mark.parametrize("size", [0, 3, 11, 40, 60, 93])
def test_what_is_no_recording_is_none(tmp_path: Path, size: int) -> None:
    whole = written(tmp_path, "ab" * 8).read_bytes()
    path = tmp_path / "b.wav"
    path.write_bytes(whole[:size])
    assert head_at(path) is None
    path.write_bytes(b"x" * size)
    assert head_at(path) is None
    fd = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(NoRecording):
            read_head(fd)
    finally:
        os.close(fd)
    assert head_at(tmp_path / "none.wav") is None


@pytest.mark.parametrize(
    "call_id", ["", "..", "../" + "ab" * 8, "ab" * 8 + "/", "AB" * 8, "ab" * 9, "%2e%2e", "ab" * 8 + "\n"]
)
def test_only_ids_of_calls_lead_to_files(tmp_path: Path, call_id: str) -> None:
    assert path_of(tmp_path, call_id) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = written(tmp_path, "ab" * 8)
    link = tmp_path / f"{'cd' * 8}.wav"
    link.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        head_at(link)


def test_recordings_are_found_by_call_by_twilios_id_and_by_number_in_any_spelling(tmp_path: Path) -> None:
    mexican = "+525512345678"
    first = written(tmp_path, "a" * 16, call_sid="CA1", caller=ADA, dialled=OWN)
    second = written(tmp_path, "b" * 16, call_sid="CA1", caller=ADA, dialled=OWN)
    third = written(tmp_path, "c" * 16, call_sid="CA2", caller=OWN, dialled="+5215512345678")
    (tmp_path / "notes.wav").write_bytes(first.read_bytes())
    assert found(tmp_path, call_ids={"a" * 16}) == [first]
    assert found(tmp_path, call_ids=(), call_sids={"CA1", ""}) == [first, second]
    assert found(tmp_path, call_ids=(), number=mexican) == [third]
    assert found(tmp_path, call_ids=("c" * 16,), number=ADA) == [first, second, third]
    assert found(tmp_path / "none", call_ids=(), number=ADA) == []
    os.utime(second, (5, 5))
    assert older_than(tmp_path, 6.0) == [second]


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None),
        ("bytes=0-", (0, 999)),
        ("bytes=0-0", (0, 0)),
        ("bytes=10-19", (10, 19)),
        ("bytes=990-5000", (990, 999)),
        ("bytes=-100", (900, 999)),
        ("bytes=-5000", (0, 999)),
        ("bytes=1-2,4-5", None),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=1-2\r\nX: y", None),
    ],
)
def test_ranges_are_those_of_the_standard(header: str, part: tuple[int, int] | None) -> None:
    asked = range_of(header, 1_000)
    assert (asked and (asked.first, asked.last)) == part


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0"])
def test_a_range_of_nothing_is_refused(header: str) -> None:
    with pytest.raises(OutOfRange):
        range_of(header, 1_000)


def test_every_byte_is_given_whatever_the_range(tmp_path: Path) -> None:
    path = written(tmp_path, "ab" * 8, 50_000)
    whole, file = path.read_bytes(), look_at(path)
    assert file is not None
    assert file.size == len(whole)
    assert file.read(0, file.size - 1) == whole[:PIECE]
    at = len(file.head.text)
    for first, last in ((0, 0), (3, at + 5), (at - 1, at), (at, at + 9), (at + 7, at + 7), (70_000, 90_000)):
        assert file.read(first, last) == whole[first : last + 1]
    path.unlink()
    with pytest.raises(FileNotFoundError):
        file.read(at, at)
