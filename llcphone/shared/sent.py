"""Calls and text messages of the last day, over all processes: statements on a connection.

The limits are the dial guard's, and so are the refusals. Each is a sliding window, as there. Rows are
numbered without a gap, so whether a window is full is told by one row: the one that is as many back as the
window allows. Nothing is counted, however many there were.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import exists, func, insert, literal, select

from llcphone.dial_guard.guard import refused
from llcphone.shared import places
from llcphone.shared.places import Place, count_of
from llcphone.shared.tables import COUNTING, DO_NOT_CALL, SENT, now_of
from llcphone.store.deletion import DAY_S
from llcphone.store.versions import lock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from llcphone.config.outbound import OutboundConfig


@attrs.frozen
class Limit:
    """At most so many in any span of time."""

    code: str
    """Of the refusal."""
    most: int
    span_s: float
    to_number: bool = False
    """Of those to one number."""


@attrs.frozen(kw_only=True)
class Kind:
    """Calls, or text messages, and how many there may be."""

    name: str
    limits: Sequence[Limit]
    concurrent: Mapping[str, tuple[int, bool]] = attrs.field(factory=dict)
    """Code of the refusal to how many calls there may be at the same time; True: outbound ones."""


def calls_of(rules: OutboundConfig, max_calls: int) -> Kind:
    """Outbound calls."""
    concurrent = {"too_many_now": (rules.max_concurrent, True)}
    if max_calls:
        concurrent["too_many_on_all_nodes"] = (max_calls, False)
    limits = [
        Limit("daily_limit", rules.max_per_day, DAY_S),
        Limit("rate_global", rules.calls_per_minute, 60.0),
        Limit("rate_number", rules.per_number_per_day, DAY_S, to_number=True),
    ]
    if gap_s := rules.per_number_min_gap_s:
        limits.append(Limit("rate_number", 1, gap_s, to_number=True))
    return Kind(name="call", limits=limits, concurrent=concurrent)


def texts_of(rules: OutboundConfig) -> Kind:
    """Text messages to callers."""
    limits = [
        Limit("sms_number", rules.sms_per_number_per_day, DAY_S, to_number=True),
        Limit("sms_daily", rules.sms_per_day, DAY_S),
    ]
    return Kind(name="text", limits=limits)


def admit(
    db: Connection, kind: Kind, *, number: str, hashed: str, life: str, call_id: str | None = None
) -> None:
    """Let one more be sent to this number, and count it; ``call_id``: a call takes a place, too.

    Raises:
        DialRefused: it may not.
    """
    lock(db, COUNTING)  # and look in a statement that begins afterwards
    now = now_of(db)
    last = select(func.coalesce(func.max(SENT.c.n), 0)).where(SENT.c.kind == kind.name).scalar_subquery()
    wanted: list[ColumnElement[Any]] = [last.label("last"), now.label("now")]
    wanted.append(exists().where(DO_NOT_CALL.c.number == number).label("listed"))
    wanted += [_oldest(kind, limit, hashed, last).label(f"at{i}") for i, limit in enumerate(kind.limits)]
    for code, (_, outbound) in kind.concurrent.items():
        wanted.append(select(count_of(db, life, outbound=outbound)).scalar_subquery().label(code))
    found = db.execute(select(*wanted)).one()._mapping
    if found["listed"]:
        raise refused("do_not_call")
    for code, (most, _) in kind.concurrent.items():
        if found[code] >= most:
            raise refused(code)
    for i, limit in enumerate(kind.limits):
        if (at := found[f"at{i}"]) is not None and (wait_s := at + limit.span_s - found["now"]) > 0:
            raise refused(limit.code, math.ceil(wait_s * 1000))
    db.execute(insert(SENT).values(kind=kind.name, n=found["last"] + 1, number=hashed, at=now))
    if call_id is not None:
        places.hold(db, [Place(call_id, outbound=True)], life=life)


def _oldest(kind: Kind, limit: Limit, hashed: str, last: ColumnElement[int]) -> ColumnElement[float]:
    """When the oldest of a full window was sent; NULL where it is not full."""
    row = select(SENT.c.at).where(SENT.c.kind == kind.name)
    if limit.to_number:
        row = row.where(SENT.c.number == hashed).order_by(SENT.c.n.desc()).offset(limit.most - 1).limit(1)
    else:
        row = row.where(SENT.c.n == last + literal(1 - limit.most))
    return row.scalar_subquery()
