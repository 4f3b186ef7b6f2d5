"""Finding calls that have ended, on both databases; and that no search reads more than it shows."""

from __future__ import annotations

import datetime
import re
import time
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import trio
from sqlalchemy import event, text

from llcphone import EndReason
from llcphone.store import Message, Store, StoreUnavailable, history, search
from llcphone.store.history import Bucket, spans
from llcphone.store.search import CallFilter, Figures
from llcphone.store.tables import CALLS, LINES, TURNS
from tests.store.store_kit import ADA, BORN_AT, opened, record, to_version_3, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

OWN = "+15551230002"
BEN = "+15551230003"
ALL = CallFilter()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with opened(url) as store:
        yield store


def turn(gap_ms: int | None) -> dict[str, Any]:
    return {"index": 1, "asked": "caller", "answer_gap_ms": None, "ear_gap_ms": gap_ms, "tools": []}


def said(*texts: str) -> tuple[dict[str, Any], ...]:
    times = {"at_ms": 0, "heard_ms": 0, "generated_ms": 0}
    return tuple({"speaker": "caller", "text": text, **times} for text in texts)


async def ids(store: Store, wanted: CallFilter = ALL, **how: Any) -> list[str]:
    return [call.id for call in (await store.history.find(wanted, **how)).calls]


async def all_pages(store: Store, wanted: CallFilter, limit: int) -> list[list[str]]:
    pages, after = [], None
    while True:
        found = await store.history.find(wanted, after=after, limit=limit)
        pages.append([call.id for call in found.calls])
        after = found.next
        if after is None:
            return pages


# -- pages --------------------------------------------------------------------------------------


async def test_pages_follow_each_other_though_calls_end_meanwhile_and_many_ended_at_once(
    store: Store,
) -> None:
    for number in range(7):
        store.put_call(record(f"c{number}", born_at=BORN_AT + number // 3), caller=ADA, dialled=OWN)
    assert await all_pages(store, ALL, 3) == [["c6", "c5", "c4"], ["c3", "c2", "c1"], ["c0"]]
    first = await store.history.find(ALL, limit=3)
    store.put_call(record("later", born_at=BORN_AT + 60))
    assert await ids(store, limit=1) == ["later"]
    assert await ids(store, after=first.next) == ["c3", "c2", "c1", "c0"]
    assert await all_pages(store, CallFilter(number=ADA), 3) == [
        ["c6", "c5", "c4"],
        ["c3", "c2", "c1"],
        ["c0"],
    ]


async def test_a_call_is_found_as_soon_as_it_has_ended(store: Store) -> None:
    store.put_call(record())
    assert await ids(store) == ["c1"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ALL, "cba"),
        (CallFilter(number=ADA), "ca"),
        (CallFilter(number=OWN), "cba"),
        (CallFilter(number="+15550000000"), ""),
        (CallFilter(number=OWN, agent="sales"), "b"),
        (CallFilter(agent="sales"), "b"),
        (CallFilter(direction="outbound"), "c"),
        (CallFilter(outcome="busy"), "c"),
        (CallFilter(ended_from=BORN_AT + 110), "cb"),
        (CallFilter(ended_before=BORN_AT + 110), "a"),
        (CallFilter(longer_than_s=10.0), "ba"),
        (CallFilter(slower_than_ms=2_999), "b"),
        (CallFilter(slower_than_ms=3_000), ""),
        (CallFilter(dearer_than_usd=0.1), "a"),
        (CallFilter(attention=True), "b"),
        (CallFilter(attention=True, number=ADA), ""),
        (CallFilter(text="BREAD"), "a"),
        (CallFilter(text="bread", number=BEN), ""),
        (CallFilter(text="rye"), "b"),
        (CallFilter(text="100%"), "b"),
        (CallFilter(text="100_"), ""),
        (CallFilter(text="ärzte"), "b"),
        (CallFilter(text="ÄRZTE"), "b"),
        (CallFilter(text="\x00"), ""),
    ],
)
async def test_each_filter_finds_its_calls(store: Store, wanted: CallFilter, found: str) -> None:
    store.put_call(record("a", cost_usd=0.2, turns=(turn(400), turn(900))), caller=ADA, dialled=OWN)
    slow = {"agent": "sales", "turns": (turn(None), turn(3_000)), "born_at": BORN_AT + 100}
    alarm = {"kind": "slow turn", "at_ms": 900, "lasted_ms": 3_000, "because": "tools"}
    words = said("A hundred: 100%", "Die Ärzte")
    store.put_call(record("b", **slow, transcript=words, alarms=(alarm,)), caller=BEN, dialled=OWN)
    await store.take_message(Message(name="Ben", number=BEN, reason="wants rye", call_id="b"))
    busy = {"direction": "outbound", "reason": EndReason.BUSY, "duration_s": 3.0, "born_at": BORN_AT + 200}
    store.put_call(record("c", **busy, turns=(), transcript=()), caller=OWN, dialled=ADA)
    assert "".join(await ids(store, wanted)) == found


async def test_a_number_is_found_in_each_of_its_spellings_and_a_call_to_oneself_once(store: Store) -> None:
    store.put_call(record("a"), caller="+5215512345678", dialled=OWN)
    store.put_call(record("b", born_at=BORN_AT + 9), caller=OWN, dialled="+525512345678")
    assert await ids(store, CallFilter(number="+525512345678")) == ["b", "a"]
    store.put_call(record("c"), caller=BEN, dialled=BEN)
    assert await ids(store, CallFilter(number=BEN)) == ["c"]


async def test_a_call_says_how_slow_it_was_and_why_somebody_should_look_at_it(store: Store) -> None:
    tools = ({"name": "refund", "took_ms": 9, "target_ms": None, "ok": False},)
    alarms = (
        {"kind": "slow turn", "at_ms": 1, "lasted_ms": 2_600, "because": "tools"},
        {"kind": "slow turn", "at_ms": 2, "lasted_ms": 3_140, "because": "model"},
    )
    bad = record(
        "bad", reason=EndReason.MODEL_LOST, alarms=alarms, tools=tools, barge_ins=6, turns=(turn(3_140),)
    )
    store.put_call(bad)
    store.put_call(record("good", born_at=BORN_AT - 60))
    one, other = (await store.history.find(ALL)).calls
    words = "model leg lost, slow turn 3.1 s, tool refund failed, interrupted 6 times"
    assert (one.slowest_ms, one.attention) == (3_140, words)
    assert (other.slowest_ms, other.attention) == (None, "")


async def test_older_calls_can_be_searched_too(url: str) -> None:
    """Tables of version 3, as the llcphone before had them."""
    async with opened(url) as store:
        store.put_call(record("slow", turns=(turn(700), turn(3_000))), caller=ADA)
        store.put_call(record("failed", failure="busy_line"), caller=ADA)
        await written(store)
        await store.main.ask(to_version_3)
    async with opened(url) as store:
        assert await ids(store, CallFilter(slower_than_ms=2_000)) == ["slow"]
        assert await ids(store, CallFilter(attention=True, number=ADA)) == ["failed"]


async def test_calls_with_the_longest_names_and_numbers_are_kept_and_found(store: Store) -> None:
    """PostgreSQL refuses a row that is too long for an index."""
    name, number = "\N{GRINNING FACE}" * 300, "sip:" + "\N{GRINNING FACE}" * 600
    store.put_call(record(agent=name), caller=number, dialled=number)
    assert await ids(store, CallFilter(agent=name, number=number)) == ["c1"]


# -- words --------------------------------------------------------------------------------------


async def test_words_are_looked_for_in_pieces_and_a_page_goes_on_where_the_one_before_stopped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_LOOK_AT", 2)
    monkeypatch.setattr(history, "_LOOK_AT_MOST", 4)
    for number in range(20):
        words = said("bread" if number % 4 == 0 else "cake")
        store.put_call(record(f"c{number:02}", born_at=BORN_AT + number, transcript=words))
    assert await all_pages(store, CallFilter(text="bread"), 2) == [["c16", "c12"], ["c08", "c04"], ["c00"]]
    assert await ids(store, CallFilter(text="bread"), limit=5) == ["c16", "c12", "c08", "c04", "c00"]


async def test_a_search_for_words_that_takes_too_long_answers_with_what_it_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_LOOK_AT", 1)
    for number in range(4):
        store.put_call(record(f"c{number}", born_at=BORN_AT + number, transcript=said("bread")))
    await written(store)
    real, asked = history.History._ask, []

    async def slower(self: Any, work: Any, limit_s: float | None = None) -> Any:
        asked.append(limit_s)
        if len(asked) == 3:
            raise StoreUnavailable("timeout")
        return await real(self, work, limit_s)

    monkeypatch.setattr(history.History, "_ask", slower)
    monkeypatch.setattr(history, "_QUICK_S", -1.0)
    found = await store.history.find(CallFilter(text="bread"))
    assert ([call.id for call in found.calls], found.complete) == (["c3", "c2"], False)
    rest = await store.history.find(CallFilter(text="bread"), after=found.next)
    assert [call.id for call in rest.calls] == ["c1", "c0"]
    assert (rest.next, rest.complete) == (None, True)
    asked[:] = [0, 0]
    with pytest.raises(StoreUnavailable):  # nothing was looked at
        await store.history.find(CallFilter(text="bread"))


async def test_a_slow_search_stops_no_look_up(url: str) -> None:
    """Three slow questions in a row of a caller's tool make all others wait; those of a search do not."""
    endless = "SELECT pg_sleep(30)"
    if url.startswith("sqlite"):
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    async with opened(url, store={"timeout_s": 0.2}) as store:
        for _ in range(4):
            with pytest.raises(StoreUnavailable):
                await store.history._ask(lambda db: db.execute(text(endless)).all())
        assert await store.find_customer(ADA) is None
        assert store.look_ups.failures == 0


# -- trends -------------------------------------------------------------------------------------


async def test_trends_count_calls_waits_and_costs_by_hours_and_days(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_LOOK_AT", 3)
    monkeypatch.setattr(history, "_LOOK_AT_MOST", 3)
    hour = time.time() // 3600 * 3600
    for number in range(10):
        gaps = (turn(None), turn(100 * number + 100))
        at = {"born_at": hour - 7200 + number, "duration_s": 1.0}
        store.put_call(record(f"c{number}", **at, turns=gaps, cost_usd=0.25))
    trends = await store.history.trends("hour", datetime.UTC)
    hours = trends.buckets
    assert (len(hours), trends.complete) == (48, True)
    assert [bucket.at for bucket in hours] == sorted(bucket.at for bucket in hours)
    (full,) = [bucket for bucket in hours if bucket.calls]
    assert full == Bucket(hour - 7200, 10, 500, 1000, 2.5)
    days = await store.history.trends("day", ZoneInfo("Asia/Kolkata"))
    assert sum(bucket.calls for bucket in days.buckets) == 10


async def test_an_hour_that_is_long_over_is_counted_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    real = search.figures

    def counted(*args: Any, **how: Any) -> Any:
        nonlocal asked
        asked += 1
        return real(*args, **how)

    monkeypatch.setattr(search, "figures", counted)
    await store.history.trends("hour", datetime.UTC)
    assert asked == 48
    await store.history.trends("hour", datetime.UTC)
    assert asked <= 48 + 2  # the last ones may still change


async def test_trends_that_take_too_long_are_those_of_the_newest_calls_and_go_on_when_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_LOOK_AT", 1)
    monkeypatch.setattr(history, "_QUICK_S", -1.0)
    hour = time.time() // 3600 * 3600
    for number in range(4):
        store.put_call(record(f"c{number}", born_at=hour - 7200 + number, duration_s=1.0))
    await written(store)
    real, asked, scopes = history.History._ask, 0, []

    def no_limit(_: float) -> trio.CancelScope:
        scopes.append(trio.CancelScope())
        return scopes[-1]

    async def late(self: Any, work: Any, limit_s: float | None = None) -> Any:
        nonlocal asked
        asked += 1
        if asked == 5:  # the time is over
            scopes[-1].cancel()
            await trio.sleep_forever()
        return await real(self, work, limit_s)

    monkeypatch.setattr(history.History, "_ask", late)
    with monkeypatch.context() as patch:
        patch.setattr(trio, "move_on_after", no_limit)
        some = await store.history.trends("hour", datetime.UTC)
    assert not some.complete
    assert [bucket.calls for bucket in some.buckets] == [0, 0]  # of the third hour two calls are counted
    whole = await store.history.trends("hour", datetime.UTC)
    assert (whole.complete, len(whole.buckets)) == (True, 48)
    assert [bucket.calls for bucket in whole.buckets if bucket.calls] == [4]
    assert asked <= 5 + 2 + 3 + 45  # the last two hours may be counted again, but not those two calls


def test_hours_and_days_have_no_gap_and_days_begin_at_midnight_there() -> None:
    zone = ZoneInfo("Europe/Madrid")
    now = datetime.datetime(2026, 11, 5, 12, 30, tzinfo=zone).timestamp()
    for by in ("hour", "day"):
        times = list(spans(by, now, zone))
        assert all(one[1] == other[0] for one, other in pairwise(times))
        assert times[-1][0] <= now < times[-1][1]
    lengths = {end - start for start, end in times}
    assert lengths == {86_400.0, 90_000.0}  # the end of summer time
    local = {datetime.datetime.fromtimestamp(start, zone).time() for start, _ in times}
    assert local == {datetime.time()}


def test_figures_add_up_and_say_how_long_a_share_waited() -> None:
    sums = Figures(1, 0.5, {10: 1, 20: 1}) + Figures(2, 0.25, {20: 2})
    assert sums == Figures(3, 0.75, {10: 1, 20: 3})
    assert (sums.wait_ms(0.25), sums.wait_ms(0.5), sums.wait_ms(0.95)) == (100, 200, 200)
    assert Figures().wait_ms(0.5) is None


# -- what a page costs --------------------------------------------------------------------------

MANY = 5_000


async def fill(store: Store, count: int) -> None:
    """So many calls with a turn and a line each, written by the database itself."""
    postgres = not store.main.on_file
    numbers = (
        f"SELECT generate_series(1, {count}) AS i"
        if postgres
        else f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {count}) SELECT i FROM n"
    )
    yes, no = ("true", "false") if postgres else ("1", "0")
    values = {
        "id": "'c' || i",
        "call_sid": "'CA' || i",
        "direction": "CASE i % 10 WHEN 0 THEN 'outbound' ELSE 'inbound' END",
        "agent": "CASE i % 500 WHEN 0 THEN 'rare' ELSE 'desk' END",
        "caller": "'+1555' || (1000000 + i % 5000)",
        "dialled": f"'{OWN}'",
        "context": "''",
        "reason": "'caller hung up'",
        "answered": f"CASE i % 10 WHEN 0 THEN {no} ELSE {yes} END",
        "born_at": f"{BORN_AT - 86_400 * 30} + i * 20.0",
        "ended_at": f"{BORN_AT - 86_400 * 30} + i * 20.0 + 60",
        "duration_s": "60.0",
        "turns": "1",
        "barge_ins": "0",
        "cost_usd": "0.01",
        "failure": "''",
        "generation": "0",
        "resumed_from": "''",
        "slowest_ms": "500 + i % 1000",
        "attention": "CASE i % 500 WHEN 0 THEN 'slow turn 3.1 s' ELSE '' END",
        "record": f"'{'x' * 1_500}'",  # the rows are long, as they are in use
    }
    turns = {
        "call": "'c' || i",
        "number": "1",
        "asked": "'caller'",
        "ear_gap_ms": "500 + i % 1000",
        "body": "'{}'",
    }
    lines = {"call": "'c' || i", "number": "1", "speaker": "'caller'", "text": "'bread and rye ' || i"}

    def work(db: Any) -> None:
        for table, row in ((CALLS, values), (TURNS, turns), (LINES, lines)):
            names, made = ", ".join(row), ", ".join(row.values())
            db.execute(text(f"INSERT INTO {table.name} ({names}) SELECT {made} FROM ({numbers}) n"))

    await trio.to_thread.run_sync(lambda: store.main.run(work, limit_s=60))


async def in_autocommit(store: Store, statement: str) -> None:
    """As a database does for itself from time to time: PostgreSQL by its autovacuum."""
    engine = store.main._engine

    def work() -> None:
        with engine.connect() as db:
            db.connection.driver_connection.execute(statement)

    await trio.to_thread.run_sync(work)


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database, without the beginnings of transactions."""
    asked: list[tuple[str, Any]] = []

    def before(_: Any, __: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            asked.append((statement, parameters))

    engine = store.look_ups._engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", before)


async def plan_of(store: Store, statement: str, parameters: Any) -> str:
    words = "EXPLAIN QUERY PLAN" if store.main.on_file else "EXPLAIN"

    def work(db: Any) -> str:
        return "\n".join(str(row[-1]) for row in db.exec_driver_sql(f"{words} {statement}", parameters))

    return await store.look_ups.ask(work)


FILTERS = [
    (ALL, "by_end"),
    (CallFilter(agent="rare"), "by_end"),
    (CallFilter(direction="outbound", slower_than_ms=1_400, attention=True), "by_end"),
    (CallFilter(outcome="busy"), "by_end"),
    (CallFilter(dearer_than_usd=1.0), "by_end"),
    (CallFilter(ended_from=BORN_AT - 86_400 * 29, ended_before=BORN_AT - 86_400 * 28), "by_end"),
    (CallFilter(number=OWN), "by_dialled"),
    (CallFilter(number="+15551000001"), "by_caller"),
]


async def test_a_page_is_one_question_which_reads_an_index_and_only_the_rows_it_shows(store: Store) -> None:
    await fill(store, MANY)
    await in_autocommit(store, "ANALYZE" if store.main.on_file else "VACUUM ANALYZE phone_calls")
    for wanted, index in FILTERS:
        for after in (None, (BORN_AT - 86_400 * 28, "c1")):
            with statements(store) as asked:
                await store.history.find(wanted, after=after)
            ((statement, parameters),) = asked
            plan = await plan_of(store, statement, parameters)
            assert f"phone_calls_{index}" in plan, (wanted, plan)
            assert not re.search(r"Seq Scan|SCAN phone_calls(?! USING COVERING INDEX)", plan), (wanted, plan)


@pytest.mark.parametrize("number", [OWN, "+15551000001"], ids=["our own", "a caller's"])
async def test_of_a_number_and_a_filter_the_rarer_one_is_looked_up(store: Store, number: str) -> None:
    await fill(store, MANY)
    await in_autocommit(store, "ANALYZE" if store.main.on_file else "VACUUM ANALYZE phone_calls")
    with statements(store) as asked:
        await store.history.find(CallFilter(number=number, agent="rare"))
    statement, parameters = asked[-1]
    plan = await plan_of(store, statement, parameters)
    assert ("phone_calls_by_end" in plan) == (number == OWN), plan
    assert ("phone_calls_by_caller" in plan) == (number != OWN), plan
    assert len(asked) == 2


async def test_a_search_for_words_reads_the_lines_of_the_calls_at_hand_only(store: Store) -> None:
    await fill(store, MANY)
    await in_autocommit(store, "ANALYZE" if store.main.on_file else "VACUUM ANALYZE")
    with statements(store) as asked:
        found = await store.history.find(CallFilter(text="rye 1999"), limit=20)
    assert len(found.calls) == 1
    for statement, parameters in asked:
        plan = await plan_of(store, statement, parameters)
        whole = re.search(r"Seq Scan on phone_[cl]|SCAN phone_(?!calls USING COVERING)", plan)
        assert not whole, (statement, plan)
