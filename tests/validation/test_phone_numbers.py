"""Numbers that are nobody's, and numbers with two spellings: the same answer wherever they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llcphone.config import Config
from llcphone.dial_guard.guard import DialGuard, DialRequest
from llcphone.errors import ConfigError, DialRefused
from llcphone.phone.do_not_call import read_numbers
from llcphone.phone.transfers.transfers import check_destinations
from llcphone.validation.e164 import e164
from llcphone.validation.phone_numbers import STAND_INS, identity, is_number, is_withheld, respelt, spellings

if TYPE_CHECKING:
    from pathlib import Path

NOON_MS = 1_795_176_000_000
MEXICAN = ("+525512345678", "+5215512345678")
ARGENTINE = ("+5491123456789", "+541123456789")
BRAZILIAN = ("+5511987654321", "+551187654321")
TWICE = [MEXICAN, ARGENTINE, BRAZILIAN]


@pytest.mark.parametrize("number", sorted(STAND_INS))
def test_a_number_that_stands_for_a_withheld_one_is_none(number: str) -> None:
    assert not is_number(number)
    assert is_withheld(number)
    assert not phonenumbers.is_valid_number(phonenumbers.parse(number))


@pytest.mark.parametrize(
    "number", ["+26622123456", "+79161234567", "+8613912345678", "+26666968", "+14155550101"]
)
def test_real_numbers_of_those_countries_are_numbers(number: str) -> None:
    assert is_number(number)
    assert not is_withheld(number)


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", "unknown"])
def test_words_for_a_withheld_number_withhold_it(caller: str) -> None:
    assert is_withheld(caller)
    assert not is_withheld("sip:ana@example.test")
    assert not is_withheld("client:ana")


@pytest.mark.parametrize(("today", "once"), TWICE)
def test_two_spellings_of_a_number_are_one_person(today: str, once: str) -> None:
    assert identity(today) == identity(once)
    assert set(spellings(today)) == set(spellings(once)) == {today, once}


def test_numbers_are_dialled_as_their_country_writes_them_today() -> None:
    assert respelt("+5215512345678") == "+525512345678"
    assert respelt("+551187654321") == "+5511987654321"
    assert respelt("+551134567890") == "+551134567890"  # a landline has eight digits
    assert respelt("+541123456789") == "+541123456789"  # fixed or mobile: nobody can tell
    assert e164("+5215512345678", None) == e164("+52 1 55 1234 5678", None) == "+525512345678"
    assert e164("+551187654321", None) == "+5511987654321"
    assert e164("(11) 8765-4321", "BR") == "+5511987654321"


@given(st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True))
def test_identity_is_one_of_the_spellings_and_all_of_them_agree(number: str) -> None:
    assert {identity(each) for each in spellings(number)} == {identity(number)}
    assert number in spellings(number)
    assert respelt(respelt(number)) == respelt(number)


# -- the guard ----------------------------------------------------------------------------------


def guard_of(ours: str, *, file: str = "", **tables: Any) -> DialGuard:
    outbound = {"do_not_call_file": file, "allow_countries": ("MX", "AR", "BR"), **tables.pop("outbound", {})}
    config = Config.from_dict({"twilio": {"phone_number": ours}, "outbound": outbound, **tables})
    return DialGuard(config, lambda zone, unix_s: 0)


def verdict(guard: DialGuard, to: str, from_: str, now_ms: int = NOON_MS) -> str:
    try:
        guard.check(DialRequest(to, from_), now_ms)
    except DialRefused as exc:
        return exc.code
    return "admitted"


OURS = "+14155550100"


@pytest.mark.parametrize("number", [*MEXICAN, BRAZILIAN[0], *ARGENTINE])
def test_both_spellings_may_be_dialled(number: str) -> None:
    assert verdict(guard_of(OURS), number, OURS) == "admitted"


@pytest.mark.parametrize(("today", "once"), TWICE)
def test_a_list_protects_both_spellings(today: str, once: str, tmp_path: Path) -> None:
    for listed in (today, once):
        file = tmp_path / "list"
        file.write_text(f"+14155550101\n{listed}\n")
        guard = guard_of(OURS, file=str(file))
        guard.do_not_call = read_numbers(file, "US")
        assert verdict(guard, today, OURS) == verdict(guard, once, OURS) == "do_not_call"
    file.write_text("+14155550101\n+5215512345678\n")
    assert read_numbers(file, "US") == {"+14155550101", "+525512345678"}


@pytest.mark.parametrize(("today", "once"), TWICE)
def test_limits_of_a_number_count_both_spellings(today: str, once: str) -> None:
    guard = guard_of(OURS)
    guard.placed("c1", DialRequest(once, OURS), NOON_MS)
    assert verdict(guard, today, OURS, NOON_MS + 1_000) == "rate_number"


@pytest.mark.parametrize("number", sorted(STAND_INS))
def test_a_stand_in_is_not_dialled_even_by_prefix(number: str) -> None:
    assert (
        verdict(guard_of(OURS, outbound={"allow_prefixes": (number[:4],)}), number, OURS)
        == "impossible_number"
    )


def test_none_of_our_own_numbers_is_dialled() -> None:
    ids = ("+14155550100", "+14155550111", "+525512345678")
    tables = {"outbound": {"caller_ids": ids}, "routes": {"csr": ("+14155550122",)}}
    guard = guard_of("+14155550133", **tables)
    for own in (*ids, "+14155550122", "+14155550133", "+5215512345678"):
        assert verdict(guard, own, ids[0]) == "own_number"


def test_quiet_hours_go_by_the_wall_clock_and_limits_by_one_that_nobody_sets() -> None:
    guard = guard_of(OURS, outbound={"quiet_hours": "21:00-08:00", "allow_countries": ("US",)})
    request = DialRequest("+14155550101", OURS)
    guard.placed("c1", request, 1_000)
    with pytest.raises(DialRefused) as caught:  # an hour later by a clock that was set, a second by ours
        guard.check(request, 2_000, NOON_MS + 3_600_000)
    assert caught.value.code == "rate_number"
    with pytest.raises(DialRefused) as caught:
        guard.check(request, 10_000_000, NOON_MS + 10 * 3_600_000)
    assert caught.value.code == "quiet_hours"


# -- text messages ------------------------------------------------------------------------------


def text_verdict(guard: DialGuard, to: str, *, sent: int = 0, now_ms: int = 0) -> str:
    try:
        guard.check_text(to, OURS, sent, now_ms)
    except DialRefused as exc:
        return exc.code
    return "admitted"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("+14155550101", "admitted"),
        ("+19005550101", "premium"),
        ("+881612345678", "country_not_allowed"),
        ("+442079460000", "country_not_allowed"),
        (OURS, "own_number"),
        ("+266696687", "impossible_number"),
        ("anonymous", "not_e164"),
    ],
)
def test_who_is_texted_is_judged_as_who_is_dialled(to: str, code: str) -> None:
    guard = guard_of(OURS, outbound={"allow_countries": ()})
    assert text_verdict(guard, to) == code


def test_the_list_is_for_text_messages_too() -> None:
    guard = guard_of(OURS, outbound={"allow_countries": ()})
    guard.do_not_call = frozenset({"+14155550101"})
    assert text_verdict(guard, "+14155550101") == "do_not_call"
    guard.do_not_call = None
    assert text_verdict(guard, "+14155550102") == "do_not_call_unreadable"


def test_text_messages_have_limits_for_a_call_a_number_and_a_day() -> None:
    limits = {"sms_per_call": 2, "sms_per_number_per_day": 3, "sms_per_day": 4, "allow_countries": ()}
    guard = guard_of(OURS, outbound=limits)
    assert text_verdict(guard, "+14155550101", sent=2) == "sms_call"
    for now_ms in range(3):
        assert text_verdict(guard, "+14155550101", now_ms=now_ms) == "admitted"
        guard.texted("+14155550101", now_ms)
    assert text_verdict(guard, "+14155550101", now_ms=3) == "sms_number"
    guard.texted("+14155550102", 3)
    assert text_verdict(guard, "+14155550103", now_ms=4) == "sms_daily"
    assert text_verdict(guard, "+14155550103", now_ms=86_400_000) == "admitted"


# -- a call that outlives its run ----------------------------------------------------------------


def test_a_call_that_goes_on_keeps_its_place_until_it_is_over_or_must_be() -> None:
    guard = guard_of(OURS, outbound={"max_concurrent": 1, "allow_countries": ()})
    guard.placed("c1", DialRequest("+14155550101", OURS), 0)
    guard.goes_on("CA1", 600_000)
    guard.ended("c1")
    assert verdict(guard, "+14155550102", OURS, 70_000) == "too_many_now"
    guard.goes_on("CA1", 900_000)  # another run: the first limit stands
    assert verdict(guard, "+14155550102", OURS, 600_000) == "admitted"
    guard.goes_on("CA2", 900_000)
    guard.ended("CA2")
    assert verdict(guard, "+14155550102", OURS, 650_000) == "admitted"


def test_a_destination_that_we_answer_ourselves_is_refused_at_the_start() -> None:
    config = Config.from_dict(
        {
            "twilio": {"phone_number": "+5215512345678"},
            "transfers": {"destinations": {"sales": {"number": "+525512345678"}}},
        }
    )
    with pytest.raises(ConfigError, match=r"transfers\.destinations\.sales"):
        check_destinations(config)
