"""Values that no database should see: cleaned or refused, the same on each, and no database's failure."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from sqlalchemy import inspect, select

from llcphone.store import BookingRefused, Message, Store, ToolCall
from llcphone.store.tables import CALLS, CUSTOMERS, KEY, LINES, NOTES, OUTBOX, TABLES, TOOLS, WORD
from llcphone.store.values import ValueRefused, as_json, fitted, fitted_row
from tests.patience import HANG_S
from tests.store.journal_kit import Opened, Source, change, row
from tests.store.store_kit import ADA, WEEK, next_weekday, opened, record, to_version_3, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HALF = "nice \ud83d"
NUL = "Jos\x00e"
HUGE = 99_999_999_999_999_999_999
SIP = "sip:" + "very.long." * 12 + "name@pbx.example.com;transport=tls"
CLIENT = "client:" + "a" * 121


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with opened(url) as store:
        yield store


def line(text: str, **fields: Any) -> dict[str, Any]:
    return {"speaker": "caller", "text": text, "at_ms": 1, "heard_ms": 0, "generated_ms": 0, **fields}


async def test_a_call_with_odd_words_is_kept_with_them_cleaned(store: Store) -> None:
    turn = {"index": 1, "asked": "caller", "answer_gap_ms": HUGE, "ear_gap_ms": None, "word": HALF}
    odd = record(transcript=(line(NUL), line(HALF, at_ms=HUGE)), failure=NUL, turns=(turn,), dialect=HALF)
    tools = (ToolCall(name=HALF, at_ms=1, took_ms=HUGE, ok=True),)
    store.put_call(odd, caller=ADA, dialled=NUL, context=HALF, tools=tools)
    await written(store)
    assert store.writer.lost == 0
    details = await store.call("c1")
    assert details is not None
    assert [each["text"] for each in details.lines] == ["Jos\ufffde", "nice \ufffd"]
    assert (details.lines[1]["at_ms"], details.tools[0].took_ms) == (None, None)
    assert (details.summary.dialled, details.summary.failure) == ("Jos\ufffde", "Jos\ufffde")
    assert [each.id for each in await store.calls(number=NUL)] == ["c1"]


@pytest.mark.parametrize("number", [CLIENT, SIP, "sip:" + "x" * 2_000 + "@example.com"])
async def test_callers_with_long_addresses_are_kept_and_found(store: Store, number: str) -> None:
    store.put_call(record("c" * 40), caller=number, dialled=SIP)
    store.put_call(record("other"), caller=number + "2", dialled=ADA)
    await written(store)
    assert store.writer.lost == 0
    assert [each.id for each in await store.calls(number=number)] == ["c" * 40]
    customer = await store.add_customer("Ana", number)
    assert await store.find_customer(number) == customer
    assert await store.find_customer(number + "2") is None


async def test_a_key_beyond_its_column_still_keeps_a_message_once(store: Store) -> None:
    for key in ("k" * 300 + "a", "k" * 300 + "b", "k" * 300 + "a"):
        assert await store.take_message(Message(name="A", number=ADA, reason="r", call_id="c1", key=key))
    store.put_call(record())
    await written(store)
    details = await store.call("c1")
    assert details is not None
    assert len(details.messages) == 2


async def test_a_note_or_message_that_cannot_be_kept_says_so_and_the_next_one_is(store: Store) -> None:
    assert not await store.add_note("c1", HUGE, "about a customer that no table can have")
    assert not await store.add_note("c1", 4_711, "about a customer that there is not")
    assert not await store.take_message(Message(name="A", number=ADA, reason="r", taken_at=math.nan))
    assert store.writer.lost == 3
    assert await store.add_note("c1", None, HALF)
    assert await store.take_message(Message(name=NUL, number=ADA, reason=HALF, call_id="c1"))
    store.put_call(record())
    await written(store)
    details = await store.call("c1")
    assert details is not None
    assert [note.text for note in details.notes] == ["nice \ufffd"]
    assert [(each.name, each.reason) for each in details.messages] == [("Jos\ufffde", "nice \ufffd")]


async def test_a_look_up_of_what_no_row_can_have_finds_nothing_and_no_other_pays_for_it(store: Store) -> None:
    for _ in range(4):
        assert await store.find_customer(NUL) is None
        assert await store.find_customer(HALF) is None
        assert await store.customer(HUGE) is None
        assert await store.appointments(HUGE) == []
        assert await store.call(NUL * 100) is None
        assert await store.calls(limit=HUGE) == await store.calls(limit=-1) == []
    assert store.look_ups.failures == 0
    assert await store.find_customer(ADA) is None


@pytest.mark.parametrize(
    ("starts_at", "minutes", "customer", "code"),
    [
        (datetime.datetime.max, 30, 1, "invalid"),
        (datetime.datetime.min, 30, 1, "invalid"),
        (next_weekday(), 0, 1, "invalid"),
        (next_weekday(), -30, 1, "invalid"),
        (next_weekday(), HUGE, 1, "invalid"),
        (next_weekday(), 30, HUGE, "invalid"),
        (next_weekday(), 30, 4_711, "unknown"),
    ],
)
async def test_a_time_that_cannot_be_is_refused_and_the_next_one_is_booked(
    store: Store, starts_at: datetime.datetime, minutes: int, customer: int, code: str
) -> None:
    await store.set_hours(WEEK)
    await store.add_customer("Ada", ADA)
    with pytest.raises(BookingRefused) as refused:
        await store.book(customer, starts_at, minutes)
    assert refused.value.code == code
    with pytest.raises(BookingRefused):
        await store.reschedule(HUGE, next_weekday())
    with pytest.raises(BookingRefused):
        await store.free_slots(datetime.date.max)
    for length in (0, -15):
        with pytest.raises(BookingRefused):
            await store.free_slots(next_weekday().date(), length)
    assert store.main.failures == store.look_ups.failures == 0
    assert (await store.book(1, next_weekday(), what=HALF)).what == "nice \ufffd"


async def test_a_refused_customer_is_no_failure_of_the_database(store: Store) -> None:
    for _ in range(4):
        with pytest.raises(BookingRefused, match="cannot hold"):
            await store._change(lambda db: db.execute(NOTES.insert().values(id=1, call=None)))
    assert store.main.failures == 0
    assert (await store.add_customer(NUL, SIP)).name == "Jos\ufffde"


async def test_columns_are_as_wide_as_the_rules_say_after_they_were_brought_forward(url: str) -> None:
    """Tables of version 1 had narrow columns, posts without a call, and lines without unheard words."""

    def older(db: Any) -> None:
        to_version_3(db)
        if db.dialect.name == "postgresql":
            db.exec_driver_sql("ALTER TABLE phone_calls ALTER COLUMN caller TYPE VARCHAR(64)")
            db.exec_driver_sql("ALTER TABLE phone_lines ALTER COLUMN at_ms TYPE INTEGER")
        db.exec_driver_sql("DROP INDEX ix_phone_outbox_call")
        db.exec_driver_sql("ALTER TABLE phone_outbox DROP COLUMN call")
        db.exec_driver_sql("INSERT INTO phone_outbox VALUES ('old-ended', 1, 1, 0, 'words')")
        db.exec_driver_sql("ALTER TABLE phone_lines DROP COLUMN unheard")
        db.exec_driver_sql("UPDATE phone_schema SET version = 1")

    async with opened(url, store={"transcript_days": 0, "keep_days": 0}) as store:
        await store.main.ask(older)
    async with opened(url, store={"transcript_days": 0, "keep_days": 0}) as store:
        store.put_call(record(transcript=(line("hello", at_ms=2**40, unheard="there"),)), caller=CLIENT)
        await written(store)
        assert store.writer.lost == 0
        posts = await store.main.ask(lambda db: db.execute(select(OUTBOX.c.call)).all())
        assert [post.call for post in posts] == ["old"]
        details = await store.call("c1")
        assert details is not None
        assert [each["unheard"] for each in details.lines] == ["there"]
        if store.main.on_file:
            return
        for table in TABLES.sorted_tables:  # all of them, not those of this test
            found = await store.main.ask(lambda db, name=table.name: inspect(db).get_columns(name))
            types = {column.name: column.type for column in table.columns}
            for column in found:
                wanted = types[column["name"]]
                assert getattr(column["type"], "length", None) == getattr(wanted, "length", None)
                assert type(column["type"]).__name__.upper() in _names(wanted)


def _names(kind: Any) -> set[str]:
    names = {"STRING": {"VARCHAR"}, "FLOAT": {"DOUBLE_PRECISION", "FLOAT"}, "BIGINTEGER": {"BIGINT"}}
    name = type(kind).__name__.upper()
    return names.get(name, {name})


# -- the rules themselves -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "given", "kept"),
    [
        (LINES.c.text, NUL, "Jos\ufffde"),
        (LINES.c.text, 5, "5"),
        (LINES.c.at_ms, HUGE, None),
        (LINES.c.at_ms, math.inf, None),
        (LINES.c.at_ms, "12", 12),
        (LINES.c.at_ms, 2.0, 2),
        (CALLS.c.cost_usd, math.nan, None),
        (CALLS.c.cost_usd, 10**400, None),
        (CALLS.c.answered, 1, True),
        (CALLS.c.caller, "x" * 512, "x" * 512),
    ],
)
def test_a_value_fits_its_column(column: Any, given: object, kept: object) -> None:
    assert fitted(column, given) == kept


@pytest.mark.parametrize(
    ("column", "given"),
    [
        (TOOLS.c.at_ms, HUGE),
        (CALLS.c.turns, 2**31),
        (CALLS.c.born_at, math.nan),
        (NOTES.c.customer, HUGE),
        (CUSTOMERS.c.id, "x"),
    ],
)
def test_a_value_that_cannot_be_left_out_is_refused_without_being_told(column: Any, given: object) -> None:
    with pytest.raises(ValueRefused) as refused:
        fitted_row(column.table, {column.name: given})
    assert str(given) not in str(refused.value)


@pytest.mark.parametrize("column", [each for table in TABLES.sorted_tables for each in table.c], ids=str)
def test_every_column_has_a_rule_and_no_text_is_longer_than_it(column: Any) -> None:
    fitted(column, None)
    length = getattr(column.type, "length", None)
    if length is not None:
        one, other = fitted(column, "\U0001f600" * 3_000 + "a"), fitted(column, "\U0001f600" * 3_000 + "b")
        assert len(one) == len(other) == length
        assert one != other
        assert len(one.encode()) < 2_700, "PostgreSQL has no index entry beyond"
    assert {KEY.length, WORD.length} >= {255, 64}


def test_json_of_whatever_is_json() -> None:
    assert as_json({"a": [HALF, HUGE * 10, True, None, 1.5], HALF: (1,)}) == (
        '{"a":["nice \ufffd","999999999999999999990",true,null,1.5],"nice \ufffd":[1]}'
    )


# -- the journal --------------------------------------------------------------------------------


@pytest.fixture
def journal(url: str) -> Any:
    journal = Opened(url)
    yield journal
    journal.close()


def test_a_journal_keeps_odd_words_and_long_names_and_finds_them_again(journal: Opened) -> None:
    born = row(call_sid="CA" + "x" * 300, agent=NUL, context=HALF, direction=HALF)
    long = "item_" + "y" * 400
    journal.write([change(born, first=True, lines=((long, 0, NUL), ("i2", 1, "b")), values={"state": HALF})])
    journal.write([change(born, lines=((long, 0, HALF),), gone=("i2",))])
    won = journal.claim(born.call_sid, 0, limit=3, run="r" * 100, now=300.0)
    assert won is not None
    assert (won.row.agent, won.row.context, won.row.state) == ("Jos\ufffde", "nice \ufffd", "nice \ufffd")
    assert [body for _, body in won.lines] == ["nice \ufffd"]
    assert attrs.evolve(born).call_sid != won.row.call_sid
    journal.end(born.call_sid, NUL, 400.0)
    assert journal.claim(born.call_sid, 1, limit=3, run="r", now=500.0) is None


async def test_what_the_database_refuses_of_one_call_keeps_no_other_from_the_journal(url: str) -> None:
    from llcphone.config.journal import JournalConfig
    from llcphone.store.journal_writer import open_journal

    bad = row(id="bad", call_sid="CA2")
    poison = Source([change(bad, first=True, values={"touched_at": math.nan})])
    good = [Source([change(row(id=f"c{at}", call_sid=f"CAc{at}"), first=True)]) for at in range(40)]
    async with open_journal(JournalConfig(url=url), secret="s") as writer:
        assert writer is not None
        for source in (*good[:20], poison, *good[20:]):
            writer.begins(source)
        writer.is_over("CAc3", "ended at Twilio")
        with trio.fail_after(HANG_S):
            await writer.flush(10)
            assert [each.writes for each in good] == [1] * 40
            assert await writer.claim("CAc3", 0, "run") is None
            assert await writer.claim("CAc4", 0, "run") is not None
        assert (writer.batches.lost, poison.writes) == (1, 0)
        began = trio.current_time()
    assert trio.current_time() - began < 2
