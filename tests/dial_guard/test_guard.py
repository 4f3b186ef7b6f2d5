"""What may be dialled: the rules one by one, and the limits against every order of calls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.config import Config
from llcphone.dial_guard.guard import WHY, DialGuard, DialRequest, Window
from llcphone.dial_guard.quiet_hours import DAY_MS
from llcphone.errors import ConfigError, DialRefused
from llcphone.validation.e164 import country_of, e164

# Numbers of drama: kept free of subscribers by the regulators.
OURS = "+14155550100"
CALLEES = ["+14155550101", "+14155550102", "+14155550103"]
CALLEE = CALLEES[0]
BRITISH = "+442079460000"
NOON_MS = 1_795_176_000_000  # 2026-11-20 12:00 UTC


def utc(zone: str, unix_s: int) -> int | None:
    return 0


def make_guard(offset_s: Any = utc, *, phone_number: str = OURS, **outbound: Any) -> DialGuard:
    tables = {"twilio": {"phone_number": phone_number}, "outbound": outbound}
    return DialGuard(Config.from_dict(tables), offset_s)


def verdict(guard: DialGuard, to: str = CALLEE, now_ms: int = NOON_MS, *, from_: str = OURS) -> str:
    """The code of the refusal, or "admitted"."""
    try:
        guard.check(DialRequest(to, from_), now_ms)
    except DialRefused as exc:
        return exc.code
    return "admitted"


def refusal(guard: DialGuard, to: str = CALLEE, now_ms: int = NOON_MS) -> DialRefused:
    with pytest.raises(DialRefused) as caught:
        guard.check(DialRequest(to, OURS), now_ms)
    return caught.value


def place(guard: DialGuard, call_id: str, now_ms: int, to: str = CALLEE) -> None:
    """A call that is placed and over at once."""
    guard.placed(call_id, DialRequest(to, OURS), now_ms)
    guard.ended(call_id)


# -- the number --------------------------------------------------------------------------------


def test_an_ordinary_number_of_our_own_country_is_dialled() -> None:
    assert verdict(make_guard()) == "admitted"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("", "not_e164"),
        ("4155550101", "not_e164"),
        ("+1 415 555 0101", "not_e164"),
        ("+14155550101;ext=5", "not_e164"),
        ("+14155550101\n", "not_e164"),
        ("+１4155550101", "not_e164"),
        ("+04155550101", "not_e164"),
        ("911", "not_e164"),
        ("sip:someone@example.test", "not_e164"),
        ("client:someone", "not_e164"),
        ("+490301234567", "not_e164"),  # an inner 0: the same telephone as +49301234567
        ("+1911911", "impossible_number"),
        ("+141555501010", "impossible_number"),
        ("+999123456", "impossible_number"),
        ("+15551230001", "impossible_number"),  # no area code 555
        (OURS, "own_number"),
        ("+19005550101", "premium"),
        ("+449098790000", "premium"),
        ("+491805123456", "shared_cost"),
        ("+447012345678", "unreachable_type"),
        ("+18765550101", "country_not_allowed"),  # +1 too, but Jamaica
        ("+442079460000", "country_not_allowed"),
        ("+88213123456", "impossible_number"),
        ("+878101234567890", "country_not_allowed"),
    ],
)
def test_a_number_that_is_not_dialled_says_why(to: str, code: str) -> None:
    assert verdict(make_guard(), to) == code


@pytest.mark.parametrize("to", ["+19005550101", "+449098790000", "+491805123456"])
def test_premium_and_shared_cost_are_refused_whatever_is_allowed(to: str) -> None:
    guard = make_guard(
        allow_countries=["US", "GB", "DE"], allow_prefixes=["+1900", "+44909", "+491805"], refuse_types=[]
    )
    assert verdict(guard, to) in {"premium", "shared_cost"}


def test_listed_countries_replace_our_own() -> None:
    guard = make_guard(allow_countries=["GB"])
    assert verdict(guard, BRITISH) == "admitted"
    assert verdict(guard, CALLEE) == "country_not_allowed"


def test_listed_prefixes_replace_our_own_country_and_add_to_listed_ones() -> None:
    assert verdict(make_guard(allow_prefixes=["+1415"]), CALLEE) == "admitted"
    assert verdict(make_guard(allow_prefixes=["+1415"]), "+12125550101") == "country_not_allowed"
    both = make_guard(allow_countries=["US"], allow_prefixes=["+4420"])
    assert [verdict(both, to) for to in (CALLEE, BRITISH)] == ["admitted", "admitted"]


def test_a_prefix_opens_a_range_that_is_not_known_yet_but_no_wrong_length() -> None:
    guard = make_guard(allow_prefixes=["+1555"])
    assert verdict(guard, "+15551230001") == "admitted"
    assert verdict(guard, "+1555123000") == "impossible_number"


def test_our_own_country_is_that_of_the_number_we_call_from() -> None:
    guard = make_guard(caller_ids=[OURS, "+442079460001"])
    assert verdict(guard, BRITISH, from_="+442079460001") == "admitted"
    assert verdict(guard, BRITISH, from_=OURS) == "country_not_allowed"


def test_a_caller_id_of_no_known_country_has_no_country_of_its_own() -> None:
    guard = make_guard(phone_number="+15551230001")
    for to in (CALLEE, "+15551230002"):
        assert verdict(guard, to, from_="+15551230001") != "admitted"


def test_kinds_of_number_are_refused_by_setting() -> None:
    assert verdict(make_guard(), "+18005550101") == "admitted"
    assert verdict(make_guard(refuse_types=["toll_free"]), "+18005550101") == "unreachable_type"
    assert verdict(make_guard(refuse_types=[], allow_countries=["GB"]), "+447012345678") == "admitted"


def test_a_country_that_does_not_exist_is_a_bad_setting() -> None:
    with pytest.raises(ConfigError, match=r"outbound\.allow_countries.*GB"):
        make_guard(allow_countries=["US", "UK"])


# -- whose number, whom never ------------------------------------------------------------------


def test_only_our_own_numbers_are_caller_ids() -> None:
    assert verdict(make_guard(), from_="+14155550199") == "caller_id_not_ours"
    assert verdict(make_guard(phone_number=""), from_=OURS) == "caller_id_not_ours"
    assert verdict(make_guard(phone_number=""), from_="") == "caller_id_not_ours"
    listed = make_guard(caller_ids=["+14155550199"])
    assert verdict(listed, from_="+14155550199") == "admitted"
    assert verdict(listed, from_=OURS) == "caller_id_not_ours"
    assert listed.own_numbers == ("+14155550199",)


def test_nobody_on_the_do_not_call_list_is_called() -> None:
    guard = make_guard(do_not_call_file="list.txt")
    guard.do_not_call = {CALLEES[1]}
    assert [verdict(guard, to) for to in CALLEES] == ["admitted", "do_not_call", "admitted"]


def test_a_list_that_was_not_read_is_not_an_empty_one() -> None:
    guard = make_guard(do_not_call_file="list.txt")
    assert verdict(guard) == "do_not_call_unreadable"
    guard.do_not_call = frozenset()
    assert verdict(guard) == "admitted"


# -- quiet hours -------------------------------------------------------------------------------


def at(hour: int, minute: int = 0) -> int:
    return NOON_MS + (hour - 12) * 3_600_000 + minute * 60_000


@pytest.mark.parametrize(
    ("hours", "now_ms", "wait_s"),
    [
        ("21:00-08:00", at(20, 59), None),
        ("21:00-08:00", at(21), 11 * 3600),
        ("21:00-08:00", at(7, 59), 60),
        ("21:00-08:00", at(8) - 1, 1),
        ("21:00-08:00", at(8), None),
        ("12:00-13:30", at(12), 5400),
        ("12:00-13:30", at(13, 30), None),
        ("00:00-23:59", at(0), 86_340),
    ],
)
def test_quiet_hours_begin_and_end_to_the_minute(hours: str, now_ms: int, wait_s: int | None) -> None:
    guard = make_guard(quiet_hours=hours)
    if wait_s is None:
        assert verdict(guard, now_ms=now_ms) == "admitted"
    else:
        error = refusal(guard, now_ms=now_ms)
        assert (error.code, error.retry_after_s) == ("quiet_hours", wait_s)


def test_the_clock_that_counts_is_the_callees() -> None:
    def offset_s(zone: str, unix_s: int) -> int | None:
        return {"America/Los_Angeles": -8 * 3600, "Europe/London": 0}[zone]

    guard = make_guard(offset_s, quiet_hours="21:00-08:00", allow_countries=["US", "GB"])
    assert verdict(guard, CALLEE, at(12)) == "quiet_hours"  # 4 in the morning there
    assert verdict(guard, BRITISH, at(12)) == "admitted"
    assert verdict(guard, CALLEE, at(22)) == "admitted"


def test_a_number_in_no_place_goes_by_the_servers_clock() -> None:
    asked = []

    def offset_s(zone: str, unix_s: int) -> int | None:
        asked.append(zone)
        return 0

    guard = make_guard(offset_s, quiet_hours="21:00-08:00")
    assert verdict(guard, "+18005550101", at(12)) == "admitted"
    assert set(asked) == {""}


def test_without_a_table_of_zones_nobodys_night_is_guessed() -> None:
    guard = make_guard(lambda zone, unix_s: None if zone else 0, quiet_hours="21:00-08:00")
    error = refusal(guard, now_ms=at(12))
    assert (error.code, error.retry_after_s) == ("no_time_zones", None)


quarters = st.integers(-48, 56).map(lambda quarter: quarter * 900)
clocks = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))


@settings(deadline=None)
@given(
    st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1]),
    st.lists(quarters, min_size=4, max_size=4),
    st.integers(0, 2 * DAY_MS),
    st.sampled_from([-3600, -1800, 3600]),
    st.integers(0, DAY_MS),
)
def test_quiet_hours_tell_the_truth_in_all_zones_of_a_number_even_when_summer_time_shifts(
    hours: tuple[str, str], offsets: list[int], shift_in_ms: int, shift_s: int, since_ms: int
) -> None:
    zones: dict[str, int] = {}
    now_ms = NOON_MS + since_ms

    def offset_s(zone: str, unix_s: int) -> int:
        offset = zones.setdefault(zone, offsets[len(zones) % 4])
        return offset + (shift_s if unix_s * 1000 >= NOON_MS + shift_in_ms else 0)

    def is_quiet(zone: str, at_ms: int) -> bool:
        minute = (at_ms // 1000 + offset_s(zone, at_ms // 1000)) // 60 % 1440
        begin, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in hours)
        return begin <= minute < end if begin < end else not end <= minute < begin

    to = "+77012345678"  # a mobile of Kazakhstan: more than one zone
    guard = make_guard(offset_s, quiet_hours="-".join(hours), allow_countries=["KZ"])
    code = verdict(guard, to, now_ms)
    assert len(zones) > 1
    assert (code == "quiet_hours") == any(is_quiet(zone, now_ms) for zone in zones)
    if code == "quiet_hours" and (wait_s := refusal(guard, to, now_ms).retry_after_s) is not None:
        assert wait_s > 0
        assert verdict(guard, to, now_ms + wait_s * 1000) == "admitted"


# -- how often ---------------------------------------------------------------------------------


def test_one_number_is_left_in_peace_between_two_calls_and_after_the_last_of_a_day() -> None:
    guard = make_guard(per_number_min_gap_s=60, per_number_per_day=2)
    place(guard, "a", NOON_MS)
    error = refusal(guard, now_ms=NOON_MS + 15_500)
    assert (error.code, error.retry_after_s) == ("rate_number", 45)
    assert verdict(guard, CALLEES[1], NOON_MS) == "admitted"
    place(guard, "b", NOON_MS + 60_000)
    error = refusal(guard, now_ms=NOON_MS + 120_000)
    assert (error.code, error.retry_after_s) == ("rate_number", 86_400 - 120)


def test_calls_at_once_are_counted_until_they_end() -> None:
    guard = make_guard(max_concurrent=2)
    for call_id, to in zip("ab", CALLEES[1:], strict=True):
        guard.placed(call_id, DialRequest(to, OURS), NOON_MS)
    error = refusal(guard)
    assert (error.code, error.retry_after_s) == ("too_many_now", None)
    for _ in range(2):  # told twice, counted once
        guard.ended("a")
    assert verdict(guard) == "admitted"
    guard.placed("c", DialRequest(CALLEE, OURS), NOON_MS)
    assert verdict(guard, "+14155550104") == "too_many_now"


def test_the_minute_and_the_day_have_limits_of_their_own() -> None:
    guard = make_guard(calls_per_minute=2, max_per_day=3)
    for number, to in enumerate(CALLEES[:2]):
        place(guard, to, NOON_MS + number, to)
    assert refusal(guard, "+14155550104", NOON_MS + 1).code == "rate_global"
    place(guard, "c", NOON_MS + 60_000, CALLEES[2])
    error = refusal(guard, "+14155550104", NOON_MS + 3_600_000)
    assert (error.code, error.retry_after_s) == ("daily_limit", 23 * 3600)


def test_a_number_is_forgotten_when_no_window_holds_it() -> None:
    guard = make_guard(max_per_day=10)
    for number in range(50):
        place(guard, str(number), NOON_MS + number * DAY_MS // 5, f"+141555501{number:02d}")
    assert len(guard._called) <= 5
    assert len(guard._live) == 0


Placing = tuple[int, int, int]
placings = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 400, 20_000, 59_999, 60_000, DAY_MS // 3]),
        st.integers(0, 2),
        st.integers(0, 4),
    ),
    max_size=40,
)
LIMITS: dict[str, Any] = {
    "max_concurrent": 3,
    "max_per_day": 9,
    "per_number_per_day": 4,
    "per_number_min_gap_s": 0.4,
    "calls_per_minute": 3,
}


def most_within(times_ms: list[int], span_ms: int) -> int:
    return max((sum(begin <= each < begin + span_ms for each in times_ms) for begin in times_ms), default=0)


@settings(deadline=None)
@given(placings)
def test_no_limit_is_ever_passed_in_any_window(plan: list[Placing]) -> None:
    guard, now_ms, live, admitted = make_guard(**LIMITS), NOON_MS, [], []
    for step, (later_ms, who, endings) in enumerate(plan):
        now_ms += later_ms
        for call_id in live[:endings]:
            guard.ended(call_id)
        del live[:endings]
        if verdict(guard, CALLEES[who], now_ms) == "admitted":
            guard.placed(str(step), DialRequest(CALLEES[who], OURS), now_ms)
            live.append(str(step))
            admitted.append((now_ms, who))
        assert len(live) <= LIMITS["max_concurrent"]
    times_ms = [at_ms for at_ms, _ in admitted]
    assert most_within(times_ms, 60_000) <= LIMITS["calls_per_minute"]
    assert most_within(times_ms, DAY_MS) <= LIMITS["max_per_day"]
    for who in range(3):
        of_number = [at_ms for at_ms, each in admitted if each == who]
        assert most_within(of_number, DAY_MS) <= LIMITS["per_number_per_day"]
        assert most_within(of_number, 400) <= 1


@settings(deadline=None)
@given(placings)
def test_a_refusal_changes_nothing_and_its_retry_after_is_true(plan: list[Placing]) -> None:
    asked, told, now_ms = make_guard(**LIMITS), make_guard(**LIMITS), NOON_MS
    for step, (later_ms, who, endings) in enumerate(plan):
        now_ms += later_ms
        request = DialRequest(CALLEES[who], OURS)
        if (code := verdict(asked, request.to, now_ms)) == "admitted":
            for guard in (asked, told):  # only one of them is ever asked and refused
                guard.placed(str(step), request, now_ms)
                if endings:
                    guard.ended(str(step))
        elif (wait_s := refusal(asked, request.to, now_ms).retry_after_s) is not None:
            assert verdict(asked, request.to, now_ms + wait_s * 1000) != code
            assert verdict(asked, request.to, now_ms + (wait_s - 1) * 1000) == code
    for to in CALLEES:
        for later_ms in (0, 399, 400, 60_000, DAY_MS):
            assert verdict(asked, to, now_ms + later_ms) == verdict(told, to, now_ms + later_ms)


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), max_size=30), st.integers(1, 4))
def test_a_window_admits_as_soon_as_it_may(gaps_ms: list[int], limit: int) -> None:
    window, now_ms, counted = Window(limit, 1_000), 0, []
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        recent = [at_ms for at_ms in counted if at_ms > now_ms - 1_000]
        assert (window.wait_ms(now_ms) == 0) == (len(recent) < limit)
        if window.wait_ms(now_ms) == 0:
            window.count(now_ms)
            counted.append(now_ms)


# -- what is told ------------------------------------------------------------------------------


def test_no_refusal_holds_a_number() -> None:
    guard = make_guard()
    for to in ["+19005550101", "+14155550101;ext=5", "+442079460000", OURS]:
        error = refusal(guard, to)
        assert error.why == WHY[error.code]
        assert str(error) == f"call not placed: {error.why}. Fix: {error.fix}"
    assert "+1415" not in repr(DialRequest(CALLEE, OURS))


# -- spellings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("(415) 555-0101", CALLEE),
        ("415.555.0101 x5", CALLEE),
        ("1-415-555-0101", CALLEE),
        ("011 44 20 7946 0000", BRITISH),
        ("+44 (0)20 7946 0000", BRITISH),
        ("tel:+1-415-555-0101", CALLEE),
        ("555-0101", None),
        ("4155550101;4155550102", None),
        ("somebody", None),
        ("", None),
    ],
)
def test_any_spelling_becomes_e164(text: str, number: str | None) -> None:
    assert e164(text, "US") == number


@settings(deadline=None)
@given(st.text() | st.text("+0123456789 ()-;x,"))
def test_any_text_is_a_number_or_none_and_a_number_stays_what_it_is(text: str) -> None:
    number = e164(text, "US")
    assert number is None or e164(number, None) == number
    assert verdict(make_guard(), text) in {*WHY, "admitted"}


def test_countries_share_a_calling_code() -> None:
    assert [country_of(number) for number in (OURS, "+18765550101", "+15551230001", "?")] == [
        "US",
        "JM",
        None,
        None,
    ]
