"""Machines without a table of time zones: what works, and what is said."""

from __future__ import annotations

import datetime
import sys
import zoneinfo
from typing import TYPE_CHECKING

import pytest

from llcphone.config import Config
from llcphone.dial_guard.guard import DialGuard, DialRequest
from llcphone.doctor.settings import do_not_call
from llcphone.doctor.settings import time_zones as doctors_time_zones
from llcphone.errors import ConfigError, DialRefused
from llcphone.modes.base import House
from llcphone.phone.do_not_call import offset_s
from llcphone.runtime import time_zones
from llcphone.runtime.time_zones import has_table, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON_MS = 1_795_176_000_000


@pytest.fixture
def _no_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a slim image: no table of the system's, and no package ``tzdata``."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "tzdata"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    time_zones.known_zone.cache_clear()
    yield
    monkeypatch.undo()
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()
    time_zones.known_zone.cache_clear()


def house(zone: str) -> House:
    return House(Config.from_dict({"company": {"time_zone": zone}}))


def test_with_a_table_a_name_is_a_zone_or_a_mistake() -> None:
    assert has_table()
    assert zone_of("Europe/Madrid", "key") == zoneinfo.ZoneInfo("Europe/Madrid")
    for wrong in ("Europe/Madird", "", "../etc/passwd", "Madrid time"):
        with pytest.raises(ConfigError, match=r"key: is not a time zone\. Fix: write it as Europe/Madrid"):
            zone_of(wrong, "key")


@pytest.mark.usefixtures("_no_table")
def test_utc_needs_no_table() -> None:
    assert not has_table()
    assert zone_of("UTC", "key") is datetime.UTC
    assert house("UTC").now().utcoffset() == datetime.timedelta()


@pytest.mark.usefixtures("_no_table")
def test_a_missing_table_is_named_as_such() -> None:
    with pytest.raises(ConfigError, match=r"company\.time_zone: this machine has no table .* tzdata"):
        _ = house("Europe/Madrid").zone


@pytest.mark.usefixtures("_no_table")
def test_quiet_hours_that_nobody_can_keep_refuse_by_a_code_of_their_own() -> None:
    tables = {"twilio": {"phone_number": "+34911234500"}, "outbound": {"quiet_hours": "21:00-08:00"}}
    guard = DialGuard(Config.from_dict(tables), offset_s)
    with pytest.raises(DialRefused, match="tzdata") as caught:
        guard.check(DialRequest("+34911234568", "+34911234500"), NOON_MS)
    assert (caught.value.code, caught.value.retry_after_s) == ("no_time_zones", None)


@pytest.mark.usefixtures("_no_table")
async def test_the_doctor_names_it() -> None:
    class DoctorContext:
        config = Config()

    (finding,) = await doctors_time_zones(DoctorContext)  # type: ignore[arg-type]
    assert (finding.check, finding.status.name) == ("time zones", "FAIL")
    assert "tzdata" in finding.fix


async def test_the_doctor_reads_the_do_not_call_list(tmp_path) -> None:
    file = tmp_path / "list"

    class DoctorContext:
        config = Config.from_dict({"outbound": {"do_not_call_file": str(file)}})

    for text, status, words in (
        ("+14155550101\n611\n", "FAIL", "line 2"),
        ("+14155550101\n+5215512345678\n", "PASS", "2 numbers"),
    ):
        file.write_text(text)
        (finding,) = await do_not_call(DoctorContext)  # type: ignore[arg-type]
        assert (finding.check, finding.status.name) == ("do-not-call list", status)
        assert words in finding.evidence
    file.unlink()
    (finding,) = await do_not_call(DoctorContext)  # type: ignore[arg-type]
    assert finding.status.name == "FAIL"
