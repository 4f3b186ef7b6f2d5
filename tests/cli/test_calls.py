"""What is kept of calls, shown on a terminal and written to files."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import ConfigError
from llcphone.cli import calls as cli_calls
from llcphone.cli import store as cli_store
from llcphone.cli.entry import app
from llcphone.recorder.wav import About, head_of
from llcphone.store import Message, ToolCall
from llcphone.store.calls import KeptCall, write_call
from llcphone.store.models import CallSummary
from llcphone.store.schema import prepare
from llcphone.store.spreadsheet import as_csv
from tests.store.journal_kit import Opened, change, row
from tests.store.store_kit import ADA, BORN_AT, opened, record, written

if TYPE_CHECKING:
    from pathlib import Path


OWN = "+15551230002"


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """The settings of a store with two calls."""
    url = f"sqlite:///{tmp_path / 'phone.db'}"
    async with opened(url) as store:
        tools = (ToolCall(name="look_up", at_ms=2500, took_ms=40, ok=True),)
        store.put_call(record("aa11", cost_usd=0.12), caller=ADA, dialled=OWN, tools=tools)
        out = record("bb22", direction="outbound", started_after_ms=None, transcript=(), born_at=BORN_AT + 60)
        store.put_call(out, caller=OWN, dialled=ADA, context="about bread")
        await store.take_message(Message(name="Ada", number=ADA, reason="bread", call_id="aa11"))
        await written(store)
    config = tmp_path / "llcphone.toml"
    config.write_text("[store]\ntranscript_days = 0.01\n")  # the calls are older, and still there
    return config


async def test_calls_are_listed_newest_first_with_numbers_masked(kept, capsys) -> None:
    cli_calls.calls(config=kept)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["call", "ended"]
    assert [row.split()[0] for row in rows] == ["bb22", "aa11"]
    assert "caller hung up (not answered)" in rows[0]
    assert "…01" in rows[1]
    assert ADA not in "".join(rows)
    cli_calls.calls(config=kept, numbers=True, last=1)
    assert ADA in capsys.readouterr().out


async def test_json_is_for_programs_and_whole(kept, capsys) -> None:
    cli_calls.calls(config=kept, as_json=True, number=ADA)
    found = json.loads(capsys.readouterr().out)
    assert [(each["id"], each["caller"]) for each in found] == [("bb22", OWN), ("aa11", ADA)]
    cli_calls.show("aa", config=kept, as_json=True)
    details = json.loads(capsys.readouterr().out)
    assert details["tools"][0]["name"] == "look_up"
    assert details["summary"]["cost_usd"] == 0.12
    cli_calls.transcript("aa11", config=kept, as_json=True)
    assert [line["speaker"] for line in json.loads(capsys.readouterr().out)] == ["agent", "caller"]


async def test_a_call_is_shown_by_the_beginning_of_its_id_or_by_twilios(kept, capsys) -> None:
    cli_calls.show("CAaa11", config=kept)
    shown = capsys.readouterr().out
    assert "inbound, from …01 to …02" in shown
    assert "look_up: ok in 40 ms" in shown
    assert "Ada, …01, for anybody (normal): bread" in shown
    assert "greeting" in shown
    assert "Bread, please." not in shown
    cli_calls.transcript("a", config=kept)
    assert "caller:  Bread, please." in capsys.readouterr().out
    cli_calls.transcript("b", config=kept)
    assert "no words are kept" in capsys.readouterr().out


async def test_a_call_that_is_not_there_is_not_shown(kept) -> None:
    with pytest.raises(ConfigError, match="beginning of an id"):
        cli_calls.show("", config=kept)
    with pytest.raises(SystemExit) as left:
        cli_calls.show("zz", config=kept)
    assert left.value.code == 1


async def test_everything_is_exported(kept, tmp_path, capsys) -> None:
    cli_calls.export(config=kept)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["id"], row["caller"], row["context"]) for row in rows] == [
        ("bb22", OWN, "about bread"),
        ("aa11", ADA, ""),
    ]
    out = tmp_path / "calls.jsonl"
    cli_calls.export(format_="json", out=out, config=kept)
    whole = [json.loads(line) for line in out.read_text().splitlines()]
    assert [len(each["lines"]) for each in whole] == [0, 2]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="exists already"):
        cli_calls.export(out=out, config=kept)
    capsys.readouterr()
    cli_calls.export(days=0.01, config=kept)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_words_of_others_are_no_formula() -> None:
    fields = {
        "id": "c",
        "call_sid": "",
        "direction": "in",
        "agent": "=1+1",
        "caller": ADA,
        "dialled": "@SUM(A1)",
    }
    times = {"born_at": 0.0, "ended_at": 0.0, "duration_s": 0.0, "turns": 0, "barge_ins": 0, "answered": True}
    row = next(csv.DictReader(io.StringIO(as_csv([CallSummary(**fields, **times, reason="busy")]))))
    assert (row["agent"], row["caller"], row["dialled"]) == ("'=1+1", ADA, "'@SUM(A1)")


async def test_tail_shows_each_call_once_as_it_ends(tmp_path, capsys, autojump_clock) -> None:
    config = tmp_path / "llcphone.toml"
    config.write_text("")
    place = cli_calls.Database(f"sqlite:///{tmp_path / 'phone.db'}", key="", timeout_s=2)
    place.make_file()
    place.run(prepare)

    def end(call_id: str, ended_before_s: float = 0) -> None:
        ended = record(call_id, born_at=BORN_AT + 10_000 - ended_before_s)
        call = KeptCall(record=ended, caller=ADA)
        place.run(lambda db: write_call(db, call, {}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: cli_calls.tail(words=True, config=config))
        await trio.sleep(2)
        end("c1")
        await trio.sleep(5)
        end("c2", ended_before_s=60)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    place.close()
    shown = capsys.readouterr().out
    assert shown.count("c1") == shown.count("c2") == 1, "though c2 was written later than the younger c1"
    assert "Bread, please." in shown


def recording(folder: Path, letter: str, **about: str) -> Path:
    """A recording of a second."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{letter * 16}.wav"
    path.write_bytes(head_of(About(path.stem, **about), 8_000) + b"\xff" * 16_000)
    return path


async def test_purge_forgets_one_call_with_all_its_runs(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second, killed, other = "a" * 16, "b" * 16, "c" * 16, "d" * 16
    audio = tmp_path / "audio"
    paths = [
        recording(audio, name[0], call_sid="CA2" if name == other else "CA1")
        for name in (first, second, killed, other)
    ]
    config = tmp_path / "llcphone.toml"
    config.write_text(f"[records]\naudio_dir = '{audio}'\n")
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}") as store:
        for name, sid in ((first, "CA1"), (second, "CA1"), (other, "CA2")):
            store.put_call(record(name, call_sid=sid), caller=ADA)
        await written(store)
    with pytest.raises(ConfigError, match="cannot be used with --number"):
        cli_store.purge(call=first, number=ADA, config=config, yes=True)
    cli_store.purge(call=first, config=config, dry_run=True)
    theirs = "2 calls, 0 record lines, 0 tapes and 3 recordings"
    assert f"Delete {theirs}?" in capsys.readouterr().out
    assert all(path.exists() for path in paths)
    cli_store.purge(call=first, config=config, yes=True)
    assert capsys.readouterr().out.endswith(f"deleted {theirs}\n")
    assert [path.exists() for path in paths] == [False, False, False, True]
    cli_store.purge(call="CA2", config=config, yes=True)
    assert os.listdir(audio) == []
    cli_store.purge(call=first, config=config, yes=True)
    assert "deleted 0 calls" in capsys.readouterr().out


async def test_a_call_that_was_recorded_says_where(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "llcphone.toml"
    config.write_text("[records]\naudio_dir = 'audio'\n")
    async with opened(f"sqlite:///{tmp_path / 'phone.db'}") as store:
        for letter in "ab":
            store.put_call(record(letter * 16), caller=ADA)
        await written(store)
    path = recording(tmp_path / "audio", "a")
    cli_calls.show("a", config=config)
    assert f"1.0 s; {path}" in capsys.readouterr().out
    cli_calls.show("a", config=config, as_json=True)
    assert json.loads(capsys.readouterr().out)["audio"] == str(path)
    cli_calls.show("b", config=config, as_json=True)
    assert json.loads(capsys.readouterr().out)["audio"] is None


async def test_purge_forgets_what_is_old_or_one_person(kept, capsys, monkeypatch) -> None:
    monkeypatch.chdir(kept.parent)
    tapes = kept.parent / "tapes"
    os.mkdir(tapes)
    for name in ("aa11", "bb22", "other"):
        (tapes / f"{name}.jsonl").write_text("{}\n")
    (tapes / "old.jsonl").write_text("{}\n")
    os.utime(tapes / "old.jsonl", (1, 1))
    audio = kept.parent / "audio"
    theirs_alone, of_others, old_audio = (recording(audio, letter) for letter in "abc")
    recording(audio, "a", caller=ADA)  # of a process that was killed: the call is in no database
    os.utime(old_audio, (1, 1))
    with kept.open("a") as settings:
        settings.write(f"[records]\nblackbox_dir = '{tapes}'\naudio_dir = '{audio}'\n")
    old = {"call_id": "old", "born_at": 0, "duration_s": 9, "transcript": [{"text": "Hi."}]}
    said = {"call_id": "aa11", "born_at": BORN_AT, "duration_s": 9, "transcript": [{"text": "Bread."}]}
    records = [said, {"call_id": "other"}, old]
    (kept.parent / "calls.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in records))
    opened = Opened("sqlite:///journal.db")
    opened.write([change(row(id=name, call_sid=f"CA{name}"), first=True) for name in ("aa11", "other")])
    with pytest.raises(SystemExit) as left:  # no terminal to ask at
        cli_store.purge(number=ADA, config=kept)
    assert left.value.code == 1
    assert "nothing was deleted" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="is not a telephone number"):
        cli_store.purge(number="banana", config=kept, yes=True)
    before = {path: path.read_bytes() for path in kept.parent.rglob("*.jsonl")}
    cli_store.purge(number=ADA, config=kept, dry_run=True)
    theirs = "2 calls, 1 messages, 0 notes, 0 appointments, 0 customers, 1 record lines, 2 tapes and "
    theirs += "1 recordings"
    assert f"Without it: Delete {theirs}?" in capsys.readouterr().out
    cli_store.purge(config=kept, dry_run=True)
    aged = "0 calls, 1 transcripts, 1 record lines, 2 record transcripts, 1 tapes and 1 recordings"
    assert f"Without it: Delete {aged}?" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in before} == before
    cli_store.purge(config=kept, yes=True)
    assert capsys.readouterr().out.endswith(f"deleted {aged}\n")
    assert "Bread." not in (kept.parent / "calls.jsonl").read_text()
    assert sorted(os.listdir(tapes)) == ["aa11.jsonl", "bb22.jsonl", "other.jsonl"]
    cli_store.purge(number="+1 (555) 123-0001" if ADA == "+15551230001" else ADA, config=kept, yes=True)
    assert capsys.readouterr().out.endswith(f"deleted {theirs}\n")
    assert os.listdir(tapes) == ["other.jsonl"]
    assert (theirs_alone.exists(), of_others.exists(), old_audio.exists()) == (False, True, False)
    assert (kept.parent / "calls.jsonl").read_text() == '{"call_id": "other"}\n'
    known = [opened.claim(f"CA{name}", 0, limit=3, run="r", now=300.0) for name in ("aa11", "other")]
    assert [each is not None for each in known] == [False, True]
    opened.close()
    cli_calls.calls(config=kept, as_json=True)
    assert json.loads(capsys.readouterr().out) == []


async def test_a_demo_database_is_made_by_one_command(tmp_path, capsys):
    file = tmp_path / "demo.db"
    cli_store.demo(file, timezone="Europe/Berlin")
    number = capsys.readouterr().out.split("rings from ")[1].split()[0]
    async with opened(f"sqlite:///{file}") as store:
        customer = await store.find_customer(number)
        assert customer is not None
        mine = await store.appointments(customer.id)
        assert [each.what for each in mine] == ["check-up", "follow-up"]
        assert await store.free_slots(mine[0].starts_at.date(), 30)
    with pytest.raises(ConfigError, match="exists already"):
        cli_store.demo(file)


def test_a_store_that_is_not_there_is_told(tmp_path) -> None:
    config = tmp_path / "llcphone.toml"
    config.write_text("")
    with pytest.raises(ConfigError, match="no store at"):
        cli_calls.calls(config=config)
    config.write_text("[store]\nenabled = false\n")
    with pytest.raises(ConfigError, match=r"store\.url: is not set"):
        cli_calls.calls(config=config)


@pytest.mark.parametrize("name", ["calls", "show", "transcript", "tail", "export", "store"])
def test_the_command_line_has_them(name: str, capsys) -> None:
    app([name, "--help"], exit_on_error=False, result_action="return_value")
    assert name in capsys.readouterr().out


async def test_a_reader_who_has_seen_enough_is_no_error(kept) -> None:
    command = [sys.executable, "-m", "llcphone", "calls", "--json", "--config", str(kept)]
    closed_by, ours = os.pipe()
    os.close(closed_by)
    done = await trio.run_process(command, stdout=ours, capture_stderr=True, check=False)
    os.close(ours)
    assert (done.returncode, done.stderr) == (0, b"")


async def test_times_are_told_with_their_zone(kept, capsys) -> None:
    cli_calls.show("aa11", config=kept)
    assert re.search(r"when +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d, ", capsys.readouterr().out)
