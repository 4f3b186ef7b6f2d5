"""What is kept of calls: statements on a connection, run in a thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
from sqlalchemy import Connection, Row, insert, or_, select

from llcphone.store.models import CallDetails, CallSummary, Message, Note, ToolCall
from llcphone.store.tables import CALLS, LINES, MESSAGES, NOTES, OUTBOX, TOOLS, TURNS
from llcphone.store.values import as_json, fitted, fitted_row
from llcphone.validation.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Table

    from llcphone.call.record import CallRecord

_ROWS = 100
"""This many in a statement, for it holds the interpreter: audio goes in between."""
_MOST_RUNS = 100
_OF_A_CALL = (TURNS, TOOLS, LINES)
SUMMARY = [column.label(column.key) for column in CALLS.c if column.name != "record"]
_APART = {"turns", "transcript", "call_id"}
"""Fields of a record that have tables or columns of their own."""


@attrs.frozen(kw_only=True)
class KeptCall:
    """A call that has ended, as the phone reports it."""

    record: CallRecord
    caller: str = attrs.field(default="", repr=False)
    dialled: str = attrs.field(default="", repr=False)
    context: str = attrs.field(default="", repr=False)
    tools: tuple[ToolCall, ...] = ()

    @property
    def row(self) -> dict[str, Any]:
        """Its row among the calls."""
        record = self.record
        names = (field.name for field in attrs.fields(type(record)) if field.name not in _APART)
        rest = {name: getattr(record, name) for name in names}  # no copy of it all: calls speak meanwhile
        return {
            "id": record.call_id,
            "call_sid": record.call_sid,
            "direction": record.direction,
            "agent": record.agent,
            "caller": self.caller,
            "dialled": self.dialled,
            "context": self.context,
            "reason": record.reason.value,
            "answered": record.started_after_ms is not None,
            "born_at": record.born_at,
            "ended_at": record.born_at + record.duration_s,
            "duration_s": record.duration_s,
            "turns": len(record.turns),
            "barge_ins": record.barge_ins,
            "cost_usd": record.cost_usd,
            "failure": record.failure,
            "run_number": record.run_number,
            "resumed_from": record.resumed_from,
            "slowest_ms": record.slowest_ms,
            "attention": record.attention,
            "record": as_json(rest),
        }


# -- writing ------------------------------------------------------------------------------------


def write_call(db: Connection, kept: KeptCall, posts: Mapping[str, str]) -> None:
    """Keep a call and what is to be sent of it (id to body), both or neither.

    A call that is known is left alone: its first write was committed although that was never confirmed.
    """
    record, row = kept.record, fitted_row(CALLS, kept.row)
    id_ = row["id"]
    if db.execute(select(CALLS.c.id).where(CALLS.c.id == id_)).first() is not None:
        return
    db.execute(insert(CALLS).values(row))
    turns = [
        {
            "call": id_,
            "number": number,
            "asked": turn.get("asked", ""),
            "answer_gap_ms": turn.get("answer_gap_ms"),
            "ear_gap_ms": turn.get("ear_gap_ms"),
            "cost_usd": turn.get("cost_usd"),
            "body": as_json(turn),
        }
        for number, turn in enumerate(record.turns, 1)
    ]
    tools = [
        {"call": id_, "number": number, **attrs.asdict(tool)} for number, tool in enumerate(kept.tools, 1)
    ]
    columns = [column.name for column in LINES.c if column.name not in ("call", "number")]
    lines = [
        {"call": id_, "number": number, **{name: line.get(name) for name in columns}}
        for number, line in enumerate(record.transcript, 1)
    ]
    for table, rows in ((TURNS, turns), (TOOLS, tools), (LINES, lines)):
        for start in range(0, len(rows), _ROWS):
            db.execute(insert(table), [fitted_row(table, each) for each in rows[start : start + _ROWS]])
    for post, body in posts.items():
        values = {"id": post, "call": id_, "made_at": time.time(), "due_at": 0.0, "tries": 0, "body": body}
        db.execute(insert(OUTBOX).values(fitted_row(OUTBOX, values)))


def write_message(db: Connection, message: Message) -> None:
    """Keep a message; with a key that is known already, nothing is done."""
    values = attrs.asdict(message)
    values["call"] = values.pop("call_id")
    _write_once(db, MESSAGES, values)


def write_note(db: Connection, note: Note) -> None:
    """Keep a note; with a key that is known already, nothing is done."""
    values = attrs.asdict(note)
    values["call"], values["customer"] = values.pop("call_id"), values.pop("customer_id")
    _write_once(db, NOTES, values)


def _write_once(db: Connection, table: Table, values: dict[str, Any]) -> None:
    values = fitted_row(table, values | {"key": values["key"] or None})
    if values["key"] is not None:
        known = select(table.c.id).where(table.c.key == values["key"])
        if db.execute(known).first() is not None:
            return
    db.execute(insert(table).values(values))


# -- reading ------------------------------------------------------------------------------------


def ids_like(db: Connection, start: str) -> list[str]:
    """The ids of calls whose own id, or Twilio's, begins so."""
    start = clean_text(start)
    like = or_(CALLS.c.id.startswith(start, autoescape=True), CALLS.c.call_sid == start)
    return list(
        db.execute(select(CALLS.c.id).where(like).order_by(CALLS.c.ended_at.desc()).limit(10)).scalars()
    )


def details(db: Connection, call_id: str) -> CallDetails | None:
    """All that is kept of a call."""
    id_ = fitted(CALLS.c.id, call_id)
    row = db.execute(select(*SUMMARY, CALLS.c.record).where(CALLS.c.id == id_)).mappings().first()
    if row is None:
        return None
    record = dict(row)
    rest = msgspec.json.decode(record.pop("record"))

    def of_call(table: Table) -> Iterator[Row[Any]]:
        order = table.c.number if table in _OF_A_CALL else table.c.id
        yield from db.execute(select(table).where(table.c.call == id_).order_by(order))

    same = select(CALLS.c.id).where(CALLS.c.call_sid == record["call_sid"], CALLS.c.call_sid != "")
    runs = db.execute(same.order_by(CALLS.c.run_number, CALLS.c.born_at).limit(_MOST_RUNS)).scalars()
    return CallDetails(
        summary=CallSummary(**record),
        runs=tuple(runs) or (id_,),
        record=rest,
        turns=tuple(msgspec.json.decode(turn.body) for turn in of_call(TURNS)),
        tools=tuple(
            ToolCall(name=each.name, at_ms=each.at_ms, took_ms=each.took_ms, ok=each.ok)
            for each in of_call(TOOLS)
        ),
        lines=tuple(_without(line, "call", "number") for line in of_call(LINES)),
        messages=tuple(
            Message(call_id=call_id, **_without(each, "id", "call") | {"key": each.key or ""})
            for each in of_call(MESSAGES)
        ),
        notes=tuple(
            Note(
                call_id=call_id,
                customer_id=each.customer,
                **_without(each, "id", "call", "customer") | {"key": each.key or ""},
            )
            for each in of_call(NOTES)
        ),
    )


def _without(row: Row[Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in names}
