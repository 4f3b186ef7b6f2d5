"""The snapshots that ship: each loads, and the default one is the defaults, whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from llcphone.config import SETTINGS, Config, toml_text

SNAPSHOTS = Path(__file__).parent.parent / "snapshots"
DEFAULT = SNAPSHOTS / "default-TUNED-2026-11-20.toml"
PERSONAL = {
    "realtime.url",
    "realtime.api_key",
    "realtime.organization",
    "realtime.project",
    "realtime.safety_salt",
    "server.public_url",
    "twilio.account_sid",
    "twilio.auth_token",
    "twilio.phone_number",
    "twilio.api_url",
    "outbound.allow_countries",
    "outbound.allow_prefixes",
    "outbound.quiet_hours",
    "outbound.do_not_call_file",
    "outbound.caller_ids",
    "api.key",
    "journal.url",
    "routes.ivr",
    "routes.receptionist",
    "routes.csr",
    "routes.files",
    "routes.otherwise",
    "company.name",
    "company.assistant",
    "company.about",
    "company.greeting",
    "company.time_zone",
    "company.hours",
    "company.closed",
    "company.desk_hours",
    "company.human",
    "company.trust_caller_id",
    "ivr.keys",
    "ivr.menu_file",
    "transfers.destinations",
    "transfers.way_out",
    "process.pid_file",
    "process.log_file",
    "process.supervisor",
    "process.unit",
    "process.stop_command",
    "process.start_command",
    "overload.another_node",
}


def keys_of(text: str) -> set[str]:
    return {f"{section}.{key}" for section, table in tomllib.loads(text).items() for key in table}


def test_the_default_snapshot_is_the_defaults() -> None:
    assert Config.from_toml(DEFAULT.read_text()) == Config()


def test_the_default_snapshot_has_every_key_but_those_of_one_deployment() -> None:
    assert keys_of(DEFAULT.read_text()) == set(SETTINGS) - PERSONAL


def test_the_default_snapshot_is_what_a_save_would_write_below_its_evidence() -> None:
    header, _, body = DEFAULT.read_text().partition("\n\n")
    assert body == toml_text(Config().tuning())
    assert all(line.startswith("#") for line in header.splitlines())
    assert "simulators" in header


@pytest.mark.parametrize("path", sorted(SNAPSHOTS.glob("*.toml")), ids=lambda path: path.name)
def test_every_snapshot_loads_and_holds_nothing_of_one_deployment(path: Path) -> None:
    Config.from_toml(path.read_text())
    assert not keys_of(path.read_text()) & PERSONAL
