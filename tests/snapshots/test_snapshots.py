"""The snapshots that ship: each loads and is what this version makes of it.

``python -m tests.snapshots.test_snapshots`` writes them all anew: after a new setting, a changed default,
prompt or tool. They are dated by their names, not by the day on which that is done. Their evidence is
measured by `tests.snapshots.snapshot_evidence`.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import strategies as st

from llcphone.agent import agents_of
from llcphone.config import SETTINGS, Config
from llcphone.errors import ConfigError
from llcphone.modes import source_of
from llcphone.modes.agent_file import agent_of
from llcphone.settings import load_config
from llcphone.snapshots import (
    Snapshot,
    agents_told,
    diff,
    find,
    load_file,
    load_last_good,
    shipped_folder,
    take,
)
from llcphone.snapshots.folder import RESCUE, SHIPPED_BY
from llcphone.snapshots.format import TUNED
from llcphone.snapshots.procedure import Restore, run_restore
from tests.snapshots.snapshot_evidence import CALLS, evidence_of
from tests.snapshots.snapshot_evidence import FILE as EVIDENCE

SNAPSHOTS = Path(__file__).parent.parent.parent / "snapshots"
SAVED_AT = "2026-11-20T00:00:00Z"
PERSONAL = """
realtime.url realtime.api_key realtime.organization realtime.project realtime.safety_salt server.public_url
twilio.account_sid twilio.auth_token twilio.phone_number twilio.api_url outbound.allow_countries
outbound.allow_prefixes outbound.quiet_hours outbound.do_not_call_file outbound.caller_ids api.key
journal.url store.url store.lookup_url calendar.url calendar.user calendar.password webhook.url
webhook.bearer_token webhook.secret
"""
"""What must be in no snapshot, whatever else becomes private."""

RESCUE_PROMPT = (
    "You answer the telephone while a technical problem is being mended. You can look nothing up, book "
    "nothing, put nobody through and pass no message on: promise none of it. Say so kindly in one sentence, "
    "ask the caller to call again later, and end the call when they have no question that you can answer."
)
SHIPPED: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "default": ("the settings llcphone ships with", {}),
    "ivr": ("the AI IVR answers every call: it routes, by words or by keys", {"agent": {"file": "ivr.py"}}),
    "receptionist": (
        "the receptionist answers every call: puts through, or takes a message",
        {"agent": {"file": "receptionist.py"}},
    ),
    "csr": (
        "customer service answers every call: looks up, books, notes, escalates",
        {"agent": {"file": "csr.py"}},
    ),
    "outbound": ("the scenarios of calls that we place", {"agent": {"file": "outbound.py"}}),
    RESCUE: (
        "nothing that can be in the way: no module, no pool, no priming, no change of tools in mid-call",
        {
            "agent": {"name": RESCUE, "instructions": RESCUE_PROMPT},
            "opening": {"priming_outbound": False},
            "realtime": {"eagerness": "medium"},
            "turns": {"schedule": [{"after_turn": 0, "tools": "full"}]},
        },
    ),
}
"""Name to why it is good and what differs from the defaults. A mode comes as a copy, to be edited."""


@cache
def shipped(name: str) -> Snapshot:
    """The snapshot of this name as this version makes it."""
    why, sections = SHIPPED[name]
    config = Config.from_dict(sections)
    with TemporaryDirectory() as folder, chdir(folder):
        if config.agent.file:
            Path(config.agent.file).write_text(source_of(name), "utf-8")
        taken = take(config, agents_told(config), name=name, who=SHIPPED_BY, why=why)
    versions = {"llcphone": taken.versions["llcphone"]}  # the others are whatever the reader has
    evidence = json.loads(EVIDENCE.read_text("utf-8"))[name]
    return attrs.evolve(taken, saved_at=SAVED_AT, versions=versions, evidence=evidence)


def file_of(name: str) -> Path:
    return SNAPSHOTS / (f"{RESCUE}.toml" if name == RESCUE else f"{shipped(name).stem}.toml")


def write_all() -> None:
    """What stood there goes, so what ships no more is gone."""
    for path in SNAPSHOTS.iterdir():
        path.unlink()
    for name in SHIPPED:
        file_of(name).write_text(shipped(name).text(), "utf-8")


names = pytest.mark.parametrize("name", SHIPPED)


@names
def test_what_ships_is_what_this_version_makes(name: str) -> None:
    assert file_of(name).read_text("utf-8") == shipped(name).text(), f"run: python -m {__name__}"
    assert load_file(file_of(name)).text() == shipped(name).text()


def test_nothing_else_ships() -> None:
    stems = {file_of(name).stem for name in SHIPPED}
    assert {path.stem for path in SNAPSHOTS.iterdir()} == stems
    assert shipped_folder() == SNAPSHOTS


@names
def test_each_is_whole_and_holds_nothing_of_one_deployment(name: str) -> None:
    settings = load_file(file_of(name)).settings
    keys = {f"{section}.{key}" for section, table in settings.items() for key in table}
    assert keys == {key for key, setting in SETTINGS.items() if not setting.private}
    assert not keys & set(PERSONAL.split())


@names
def test_each_says_that_no_live_account_has_confirmed_it(name: str) -> None:
    evidence = load_file(file_of(name)).evidence
    assert "simulators only, no live account" in evidence["proof"]
    assert (evidence["calls"], evidence["ended_as"]) == (CALLS, {"caller hung up": CALLS})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["receptionist", "outbound"])
def test_the_evidence_is_what_calls_under_it_measure(name: str) -> None:
    shown = load_file(file_of(name)).evidence
    found = evidence_of(name, SHIPPED[name][1], calls=2)
    assert found.keys() == shown.keys()
    assert found["turns"] / found["calls"] == shown["turns"] / shown["calls"]
    gaps = ("answer_gap_p95_ms", "ear_gap_p95_ms")
    assert all(abs(found[gap] - shown[gap]) <= 40 for gap in gaps), "two frames"


@names
def test_each_can_be_restored_into_an_empty_folder_of_any_house(name: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    house = "[company]\nname = 'Ann & Sons'\n[transfers]\ndestinations = {sales = {number = '+15550100'}}\n"
    Path("llcphone.toml").write_text(house)
    told: list[str] = []
    assert run_restore(name, None, Restore(ask=bool, tell=told.append)) == 0, told
    config = load_config()
    assert config.company.name == "Ann & Sons"
    assert list(config.transfers.destinations) == ["sales"]
    assert diff(config, find(name), agents=agents_told(config)) == []
    agents = agents_of(agent_of(config))
    assert list(agents) == [agent["name"] for agent in find(name).agents]
    assert name == RESCUE or "Ann & Sons" in next(iter(agents.values())).instructions


@pytest.mark.parametrize("mode", ["ivr", "receptionist", "csr", "outbound"])
def test_the_copy_of_a_mode_is_the_mode(mode: str) -> None:
    (module,) = find(mode).modules
    assert (module.path, module.source.decode()) == (f"{mode}.py", source_of(mode))


def test_the_default_one_is_the_defaults() -> None:
    assert find("default").config == Config()


def test_what_ships_is_nobodys_last_good() -> None:
    assert load_last_good(SNAPSHOTS) is None


def test_rescue_differs_from_the_defaults_in_what_is_written_above_and_in_nothing_else() -> None:
    differing = {each.key for each in diff(Config(), find(RESCUE))}
    assert differing == {f"{section}.{key}" for section, table in SHIPPED[RESCUE][1].items() for key in table}


def put_copies(name: str, folder: Path) -> None:
    """The modules of a snapshot, as one that is saved has them beside it."""
    folder.mkdir(exist_ok=True)
    for module in shipped(name).modules:
        (folder / module.file).write_bytes(module.source)


@names
def test_one_changed_byte_is_refused(name: str, tmp_path) -> None:
    text = file_of(name).read_text("utf-8")
    put_copies(name, tmp_path / f"damaged{TUNED}2026-11-20")
    for changed in (
        text.replace("max_duration_s = 3600.0", "max_duration_s = 3601.0"),
        text.replace("# It is never edited", "# It is never  edited"),
        re.sub(r'hash = "sha256:.', 'hash = "sha256:0', text).replace("calls = 10", "calls = 99"),
        text + "\n",
    ):
        path = tmp_path / f"damaged{TUNED}2026-11-20.toml"
        path.write_text(changed, "utf-8")
        with pytest.raises(ConfigError, match=r"damaged-TUNED-2026-11-20\.toml: is damaged"):
            load_file(path)


@hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(st.data())
def test_any_byte_that_is_another_is_refused(tmp_path, data: st.DataObject) -> None:
    path = Path(shutil.copy(file_of("ivr"), tmp_path))
    put_copies("ivr", path.with_suffix(""))
    changed = data.draw(st.sampled_from([path, path.with_suffix("") / "ivr.py"]))
    content = bytearray(changed.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = (content[at] + data.draw(st.integers(1, 255))) % 256
    changed.write_bytes(content if data.draw(st.booleans()) else content[:at])
    with pytest.raises(ConfigError):
        load_file(path)


if __name__ == "__main__":
    write_all()
