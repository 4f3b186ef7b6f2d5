"""``--json``: valid JSON on standard output and nothing else, with what a program wants to know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.cli import number
from llcphone.cli.entry import run
from tests.store.store_kit import ADA, opened, record, written

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """\
[realtime]
voice = "marin"
api_key = "sk-json-0123456789"
[agent]
instructions = "Be brief."
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("OPENAI_API_KEY", "TWILIO_AUTH_TOKEN", "PUBLIC_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llcphone.toml").write_text(SETTINGS)

    async def fill() -> None:
        async with opened(f"sqlite:///{tmp_path / 'phone.db'}") as store:
            store.put_call(record("aa11"), caller=ADA, dialled="+15551230002")
            await written(store)

    trio.run(fill)
    return tmp_path


def has(**wanted: Any):
    """Whether a table has these values."""
    return lambda said: {key: said[key] for key in wanted} == wanted


def first_has(**wanted: Any):
    return lambda said: has(**wanted)(said[0])


COUNTS = {"calls": 1, "messages": 0, "notes": 0, "appointments": 0, "customers": 0, "record_lines": 0}
VOICE = {"key": "realtime.voice", "value": '"marin"', "from": "llcphone.toml"}
ROWS: list[tuple[str, int, Any]] = [
    ("calls --json", 0, first_has(id="aa11", caller=ADA)),
    ("calls --json --number +12025550199", 0, lambda said: said == []),
    ("show aa --json", 0, lambda said: said["summary"]["id"] == "aa11"),
    ("transcript aa --json", 0, lambda said: said[0]["speaker"] == "agent"),
    (f"store purge --number {ADA} --dry-run --json", 0, has(dry_run=True, **COUNTS)),
    (f"store purge --number {ADA} --yes --json", 0, has(dry_run=False, **COUNTS)),
    ("store purge --yes --json", 0, has(dry_run=False, calls=0)),
    ("store demo new.db --json", 0, has(file="new.db", url="sqlite:///new.db", customers=4)),
    ("config voice --json", 0, lambda said: VOICE in said),
    ("config --changed --json", 0, lambda said: "sk-json" not in json.dumps(said)),
    ("config no.such --json", 1, lambda said: said == []),
    ("prompt --json", 0, lambda said: said[0]["instructions"] > 0),
    ("call +14155552671 --json", 1, has(ok=False, dry_run=True)),
    ("status --json", 1, has(ready=False)),
    ("doctor --only settings --json", 1, has(ok=False)),
    ("number show --json", 1, has(number="+15551230002", comes_to_us=False)),
    ("snapshot list --json", 0, lambda said: "rescue" in " ".join(each["name"] for each in said)),
    ("snapshot show rescue --json", 0, has(good=True, modules=[])),
    (
        "snapshot diff rescue --json",
        0,
        lambda said: VOICE["key"] in str(said["differences"]),
    ),
    ("snapshot save works --why good --json", 0, lambda said: len(said["agents"]) == 1),
]


@pytest.mark.parametrize(("line", "code", "holds"), ROWS, ids=[row[0] for row in ROWS])
def test_json_and_nothing_else_on_standard_output(line, code, holds, folder, capsys, monkeypatch) -> None:
    async def now(config: Any) -> dict[str, Any]:
        return {"number": "+15551230002", "comes_to_us": False}

    monkeypatch.setattr(number, "number_now", now)
    left = run(line.split())
    out = capsys.readouterr().out
    assert left == code, out
    said = json.loads(out)
    assert holds(said), said


def test_a_list_of_snapshots_names_a_damaged_one(folder, capsys) -> None:
    (folder / "snapshots").mkdir()
    (folder / "snapshots" / "x-TUNED-2026-11-01.toml").write_text("damaged")
    assert run(["snapshot", "list", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["x-TUNED-2026-11-01"]["trouble"]
    assert "trouble" not in found[next(name for name in found if name.startswith("rescue"))]
