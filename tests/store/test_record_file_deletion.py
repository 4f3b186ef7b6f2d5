"""The file of records: calls can be taken out of it while another process writes."""

from __future__ import annotations

import json
import stat
import threading
from typing import TYPE_CHECKING

from llcphone.store.record_file import _append, forget
from tests.store.store_kit import record

if TYPE_CHECKING:
    from pathlib import Path


def ids(path: Path) -> list[str]:
    return [json.loads(line)["call_id"] for line in path.read_text().splitlines()]


def test_records_of_these_calls_are_taken_out_and_the_rest_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    _append(path, [record("a"), record("b"), record("c")])
    path.write_bytes(path.read_bytes() + b"not a record\n")
    before = path.read_bytes().splitlines()
    assert forget(path, {"b", "unknown"}) == 1
    assert path.read_bytes().splitlines() == [before[0], *before[2:]]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (forget(path, set()), forget(tmp_path / "none", {"a"})) == (0, 0)
    assert [each.name for each in tmp_path.iterdir()] == ["calls.jsonl"]


def test_what_is_written_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    twice = threading.Event()
    """Records were taken out twice while the writer had more to write."""

    def write() -> None:
        for number in range(200):
            if number == 100:
                assert twice.wait(30)
            _append(path, [record(f"a{number}"), record(f"b{number}")])

    writer = threading.Thread(target=write)
    writer.start()
    rounds = 0
    while writer.is_alive():
        rounds += 1
        forget(path, {f"b{number}" for number in range(200)})
        if rounds == 2:
            twice.set()
    writer.join()
    forget(path, {f"b{number}" for number in range(200)})
    assert ids(path) == [f"a{number}" for number in range(200)]
    assert rounds >= 2
