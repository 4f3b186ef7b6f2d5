"""The do-not-call file as it is read, changed and broken; and the clocks of other places."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone.errors import ConfigError
from llcphone.phone.do_not_call import DoNotCallFile, offset_s, read_numbers
from tests.dial_guard.test_guard import CALLEES, make_guard, verdict

if TYPE_CHECKING:
    from pathlib import Path


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "do-not-call.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_numbers_are_read_in_any_spelling_and_comments_are_not(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "\ufeff# asked in spring\n\n(415) 555-0101   # by letter\r\n  +1 415 555 0102\n011 44 20 7946 0000",
    )
    assert read_numbers(path, "US") == {*CALLEES[:2], "+442079460000"}


def test_without_a_country_only_international_spellings_are_numbers(tmp_path: Path) -> None:
    assert read_numbers(written(tmp_path, CALLEES[0]), None) == {CALLEES[0]}
    with pytest.raises(ConfigError, match="line 1"):
        read_numbers(written(tmp_path, "415 555 0101"), None)


@pytest.mark.parametrize(
    "line", ["somebody", "555-0101", "+14155550101, +14155550102", "4155550101;4155550102"]
)
def test_a_line_that_is_no_number_is_named_and_not_quoted(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_numbers(written(tmp_path, f"{CALLEES[0]}\n\n{line}\n"), "US")
    assert (caught.value.key, "line 3" in caught.value.why) == ("outbound.do_not_call_file", True)
    assert line not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe+1", None])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path if content is None else written(tmp_path, content)  # a folder is no file
    with pytest.raises(ConfigError, match="cannot be read"):
        read_numbers(path, "US")


async def test_the_list_follows_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, CALLEES[0])
    guard = make_guard(do_not_call_file=str(path))
    listed = DoNotCallFile(path, guard)
    await listed.refresh()
    assert [verdict(guard, to) for to in CALLEES[:2]] == ["do_not_call", "admitted"]
    written(tmp_path, CALLEES[1])
    os.utime(path, ns=(1, 1))
    await listed.refresh()
    assert [verdict(guard, to) for to in CALLEES[:2]] == ["admitted", "do_not_call"]


async def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, CALLEES[0])
    guard = make_guard(do_not_call_file=str(path))
    listed = DoNotCallFile(path, guard)
    await listed.refresh()
    before = guard.do_not_call
    await listed.refresh()
    assert guard.do_not_call is before


async def test_while_the_file_is_unreadable_nobody_is_called_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, CALLEES[0])
    guard = make_guard(do_not_call_file=str(path))
    listed = DoNotCallFile(path, guard)
    await listed.refresh()
    path.rename(tmp_path / "away")
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            await listed.refresh()
            assert verdict(guard, CALLEES[1]) == "do_not_call_unreadable"
    assert len(caplog.records) == 1
    assert "outbound.do_not_call_file" in caplog.text
    (tmp_path / "away").rename(path)  # the very file that was read before
    await listed.refresh()
    assert [verdict(guard, to) for to in CALLEES[:2]] == ["do_not_call", "admitted"]


async def test_calls_that_come_together_share_one_reading(tmp_path: Path) -> None:
    path = written(tmp_path, CALLEES[0])
    guard = make_guard(do_not_call_file=str(path))
    listed, seen = DoNotCallFile(path, guard), []

    async def ask() -> None:
        await listed.refresh()
        seen.append(guard.do_not_call)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(ask, name=f"asker {number}")
    assert len(seen) == 3
    assert all(each is seen[0] for each in seen)


def test_clocks_of_other_places_know_summer_time() -> None:
    winter_s, summer_s = 1_795_176_000, 1_782_000_000  # 2026-11-20, 2026-06-21
    assert [offset_s("America/New_York", at_s) for at_s in (winter_s, summer_s)] == [-18_000, -14_400]
    assert offset_s("Asia/Kolkata", winter_s) == 19_800
    assert offset_s("", winter_s) is not None
    assert [offset_s(name, winter_s) for name in ("Mars/Olympus", "../../etc/passwd")] == [None, None]
