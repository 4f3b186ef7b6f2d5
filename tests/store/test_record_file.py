"""Records as lines of a file: each whole or not at all, and one that cannot be written costs only itself."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.store import record_file
from llcphone.store.record_file import open_record_file
from tests.store.store_kit import record, until

if TYPE_CHECKING:
    from pathlib import Path


def ids(path: Path) -> list[str]:
    return [json.loads(line)["call_id"] for line in path.read_bytes().splitlines()]


async def test_records_are_appended_in_order(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    for ones in (["c1", "c2"], ["c3"]):
        async with open_record_file(path) as keep:
            for one in ones:
                keep(record(one))
    assert ids(path) == ["c1", "c2", "c3"]
    assert path.stat().st_mode & 0o777 == 0o600


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "odd", ["\ud83d", object(), endless()], ids=["half a character", "object", "endless"]
)
async def test_a_record_that_cannot_be_written_costs_itself_only(
    odd: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "calls.jsonl"
    async with open_record_file(path) as keep:
        keep(record("c1"))
        keep(record("c2", transcript=({"speaker": "caller", "text": odd},)))
        keep(record("c3"))
    assert ids(path) == ["c1", "c3"]
    assert [each.event for each in caplog.records] == ["call record cannot be written", "call record lost"]
    assert vars(caplog.records[0])["call"] == "c2"


async def test_a_short_write_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, text: real(fd, text[:7]))
    path = tmp_path / "calls.jsonl"
    async with open_record_file(path) as keep:
        keep(record("c1"))
        keep(record("c2"))
    assert ids(path) == ["c1", "c2"]


async def test_a_disk_that_is_full_in_the_middle_of_a_line_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, room = os.write, 7

    def write(fd: int, text: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "full")
        wrote = real(fd, text[:room])
        room -= wrote
        return wrote

    path = tmp_path / "calls.jsonl"
    async with open_record_file(path) as keep:
        keep(record("c1"))
        await until(lambda: path.exists() and path.stat().st_size > 0)
        monkeypatch.setattr(os, "write", write)
        keep(record("c2"))
        await until(lambda: "call record lost" in [each.event for each in caplog.records])
        monkeypatch.setattr(os, "write", real)
        keep(record("c3"))
    assert ids(path) == ["c1", "c3"]


@pytest.mark.parametrize("fault", [RuntimeError, SystemExit])
async def test_the_writer_outlives_whatever_a_write_raises(
    fault: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = record_file._append

    def broken(*_: object) -> int:
        raise fault("planted")

    path = tmp_path / "calls.jsonl"
    async with open_record_file(path) as keep:
        monkeypatch.setattr(record_file, "_append", broken)
        keep(record("c1"))
        await until(lambda: "call record lost" in [each.event for each in caplog.records])
        monkeypatch.setattr(record_file, "_append", real)
        keep(record("c2"))
    assert ids(path) == ["c2"]
    assert "planted" not in caplog.text


async def test_a_cancellation_from_outside_reaches_the_block_and_its_records_are_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "calls.jsonl"
    with trio.move_on_after(0.1) as scope:
        async with open_record_file(path) as keep:
            try:
                await trio.sleep(5)
            finally:
                keep(record("c1"))
    assert scope.cancelled_caught
    assert ids(path) == ["c1"]
