"""[routes], [company] and [ivr]: what may stand there, and the names of llc-phone 3 for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llcphone import ConfigError
from llcphone.config import Config
from llcphone.config.company import read_hours
from llcphone.settings import load

if TYPE_CHECKING:
    from pathlib import Path

NINE, FIVE, MIDNIGHT = 9 * 60, 17 * 60, 24 * 60


def test_hours_are_spans_by_weekday() -> None:
    hours = read_hours("mon-wed 09:00-17:00, wed 18:00-24:00")
    assert hours == {0: [(NINE, FIVE)], 1: [(NINE, FIVE)], 2: [(NINE, FIVE), (18 * 60, MIDNIGHT)]}


def test_a_range_of_days_may_go_over_the_weekend() -> None:
    assert set(read_hours("SAT-mon 09:00-17:00")) == {5, 6, 0}


@pytest.mark.parametrize("text", ["weekdays 09:00-17:00", "mon 17:00-09:00", "mon 9-17", "mon 09:00-24:30"])
def test_hours_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"company\.hours"):
        Config.from_dict({"company": {"hours": text}})


def test_a_number_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="one number has two routes"):
        Config.from_dict({"routes": {"ivr": ["+15551230002"], "csr": ["+15551230002"]}})


@pytest.mark.parametrize("settings", [{"default": "butler"}, {"files": {"clinic.py": "+15551230002"}}])
def test_who_answers_is_a_mode_or_a_python_file(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="routes"):
        Config.from_dict({"routes": settings})


def test_the_originals_names_are_read(tmp_path: Path) -> None:
    environ = {
        "IVR_DID": "+15551230003",
        "CSR_DID": "+15551230004",
        "SALES_NUMBER": "+15551230030",
        "SCHEDULING_NUMBER": "+15551230031",
        "COMPANY_NAME": "Casa Verde",
        "BUSINESS_TIMEZONE": "Europe/Madrid",
    }
    file = tmp_path / "llcphone.toml"
    file.write_text('[transfers.destinations.sales]\nnumber = "+15551230039"\nwhisper = "For sales"\n')
    loaded = load(file, environ=environ)
    config = loaded.config
    assert config.routes.table == {"+15551230003": "ivr", "+15551230004": "csr"}
    assert config.transfers.destinations == {
        "sales": {"number": "+15551230030", "whisper": "For sales"},
        "scheduling": {"number": "+15551230031"},
    }
    assert (config.company.name, config.company.time_zone) == ("Casa Verde", "Europe/Madrid")
    assert loaded.origin["transfers.destinations"] == "environment: SALES_NUMBER, SCHEDULING_NUMBER"


def test_a_number_in_no_form_is_refused_by_its_name_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "llcphone.toml").write_text("")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "llcphone.toml", environ={"SALES_NUMBER": "(555) 123-0030"})
    assert caught.value.key == "transfers.destinations"
    assert "123-0030" not in str(caught.value)
