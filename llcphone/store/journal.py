"""The journal: what another process needs to go on with a call. Tables, and statements on a connection that
run in a thread; ``journal_writer`` is the way there from Trio.

    calls   one row per call, from its birth: CallSid, run number, agent, whether and why it ended
    lines   its conversation as it was heard, one row per line; deleted when the call has ended

The *run number* counts how often a call was resumed. It is the journal's only lock: the process that
raises it from n to n+1 (``claim``, one UPDATE) owns the call from then on, and what an older owner still
writes finds no row with its number any more and changes nothing. What was planned, a restart or a return from
elsewhere, does not count against ``journal.max_resumes``: a call may go through any number of restarts.

A row also names the *life* of the process that has the call (``shared.nodes``). If that process has died,
another one may take the call over (``take_over``) before it is resumed; then the dead one changes nothing.

A stream's token is kept as a hash. The token of a resumed stream is made of the row's salt, the run number,
and a secret that is not in the journal: so two processes give the same TwiML, and no reader can join a call.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    insert,
    inspect,
    select,
    text,
    update,
)

from llcphone.call import node_names
from llcphone.store.journal_tables import BY_LIFE, CALLS, HELD, LINES, TABLES, update_rows, upsert_lines
from llcphone.store.schema import widen
from llcphone.store.values import fitted, fitted_row
from llcphone.store.versions import lock

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_DELETE = delete(LINES).where(LINES.c.call == bindparam("b_call"), LINES.c.item_id == bindparam("b_item"))
_COLUMNS = [column.label(column.key) for column in CALLS.c]
_NEWEST = (CALLS.c.born_at.desc(), CALLS.c.run_number.desc())
"""A call that was moved has a row for each of its parts."""

MOST_RUNS = 1_000  # however many of them were planned


@attrs.frozen(kw_only=True)
class CallRow:
    """A call, as its row has it."""

    id: str
    call_sid: str
    run_number: int = 0
    planned: int = 0
    """How many of its runs no fault has caused: they began by a restart, or a return from elsewhere."""
    run: str
    """The ``call_id`` of the run that has it, as in its record."""
    salt: str
    token_hash: str
    direction: str
    agent: str
    """By its name."""
    context: str = ""
    state: str = ""
    """``call.state`` as JSON, if it can be written so."""
    owed: str = ""
    born_at: float
    """Unix time of the first run's birth."""
    touched_at: float = 0.0
    over: str = ""
    """Why it ended; empty: no end was written."""
    life: str = ""
    """The process that has it; empty: it shares nothing, or the caller is elsewhere, such as transferred."""

    @property
    def faults(self) -> int:
        """How often it was resumed because something had gone wrong."""
        return self.run_number - self.planned

    def goes_on(self, limit: int, planned: bool) -> bool:
        """Whether it may be resumed once more."""
        return self.run_number < MOST_RUNS and (planned or (limit > 0 and self.faults < limit))


@attrs.frozen(kw_only=True)
class Change:
    """What is to be written of one call."""

    birth: CallRow | None = None
    """Of a call that is not in the journal yet."""
    id: str
    run_number: int
    life: str = ""
    """Whose the row must still be."""
    values: dict[str, Any]
    """Columns of its row."""
    lines: tuple[tuple[str, int, str], ...] = ()
    """(item id, place, body) of lines that are new or have changed."""
    gone: tuple[str, ...] = ()
    """Item ids of lines that are no more."""


@attrs.frozen
class Claim:
    """What came of asking for a call."""

    won: bool
    """It is ours now; else another was faster, and the row is as it left it."""
    row: CallRow
    lines: tuple[tuple[str, str], ...] = ()
    """(item id, body), in the order of the conversation."""


def prepare(db: Connection) -> None:
    """Make the tables, or make those of an older version as wide as ours."""
    lock(db, 7108042)  # two that start at once: one makes them
    TABLES.create_all(db)
    widen(db, TABLES)
    columns = {column["name"] for column in inspect(db).get_columns(CALLS.name)}
    if "planned" not in columns:
        db.execute(text(f"ALTER TABLE {CALLS.name} ADD COLUMN planned INTEGER NOT NULL DEFAULT 0"))
    if "life" not in columns:
        db.execute(text(f"ALTER TABLE {CALLS.name} ADD COLUMN life VARCHAR(32) NOT NULL DEFAULT ''"))
        BY_LIFE.create(db, checkfirst=True)


class Journal:
    """Its statements; those that change something are one transaction together, or each its own."""

    def __init__(self, secret: str) -> None:
        """Take what tokens are made with."""
        self._secret = secret.encode()

    def token(self, row: CallRow, run_number: int, run: str) -> str:
        """The token of the stream that resumes this call; ``run``: the call_id of the run that takes it."""
        text = f"{row.salt}:{row.call_sid}:{run_number}".encode()
        digest = base64.urlsafe_b64encode(hmac.digest(self._secret, text, "sha256")[:24])
        return node_names.token(node_names.node_of(run), digest.decode())

    @staticmethod
    def write(db: Connection, changes: Sequence[Change]) -> None:
        """Write what has changed.

        A few statements for all calls together: a thread that runs Python holds up the calls' own.
        """
        births = [attrs.asdict(change.birth) for change in changes if change.birth is not None]
        if births:
            db.execute(insert(CALLS), [fitted_row(CALLS, each) for each in births])
        for names in {tuple(change.values) for change in changes}:
            rows = [change for change in changes if tuple(change.values) == names]
            values = [
                {"b_id": each.id, "b_run_number": each.run_number, "b_life": each.life}
                | fitted_row(CALLS, each.values)
                for each in rows
            ]
            update_rows(db, names, values)
        ours = _still_ours(db, changes)
        over = [change.id for change in ours if change.values.get("over")]
        if over:
            db.execute(delete(LINES).where(LINES.c.call.in_(over)))
        live = [change for change in ours if change.id not in over]
        gone = [
            {"b_call": each.id, "b_item": fitted(LINES.c.item_id, item)}
            for each in live
            for item in each.gone
        ]
        if gone:
            db.execute(_DELETE, gone)
        new = [
            fitted_row(LINES, {"call": each.id, "item_id": item_id, "place": place, "body": body})
            for each in live
            for item_id, place, body in each.lines
        ]
        if new:
            upsert_lines(db, new)

    def claim(
        self,
        db: Connection,
        call_sid: str,
        run_number: int,
        *,
        limit: int,
        run: str,
        now: float,
        planned: bool = False,
        life: str = "",
    ) -> Claim | None:
        """Ask for a call whose stream of this run has ended; ``planned``: nothing went wrong.

        Returns None when it is not known, has ended, or was resumed ``limit`` times already after a fault.
        """
        row = _row(db, call_sid)
        if row is not None and not row.over and row.run_number == run_number and row.goes_on(limit, planned):
            values: dict[str, Any] = {
                "run_number": run_number + 1,
                "run": run,
                "touched_at": now,
                "life": life,
            }
            values["planned"] = row.planned + planned
            values["token_hash"] = hash_of(self.token(row, run_number + 1, run))
            mine = (CALLS.c.id == row.id) & (CALLS.c.run_number == run_number) & (CALLS.c.over == "")
            if db.execute(update(CALLS).where(mine).values(fitted_row(CALLS, values))).rowcount == 1:
                lines = select(LINES.c.item_id, LINES.c.body).where(LINES.c.call == row.id)
                found = db.execute(lines.order_by(LINES.c.place)).all()
                row = attrs.evolve(row, planned=values["planned"])
                return Claim(True, row, tuple((each.item_id, each.body) for each in found))
            row = _row(db, call_sid)  # another was faster
        if row is None or row.over or row.run_number <= run_number:
            return None
        return Claim(False, row)

    @staticmethod
    def lives(db: Connection) -> set[str]:
        """The processes that have calls, by what the rows say."""
        return set(db.execute(select(CALLS.c.life).where(HELD).distinct()).scalars())

    @staticmethod
    def take_over(db: Connection, dead: Collection[str], life: str) -> CallRow | None:
        """Take a call of one of these processes, the latest first; None: they have none.

        Two who ask at once get two calls. The run number stays, so Twilio's own question is still answered.
        """
        theirs = HELD & CALLS.c.life.in_(dead) & (CALLS.c.call_sid != "")
        latest = select(*_COLUMNS).where(theirs).order_by(CALLS.c.touched_at.desc()).limit(1)
        found = db.execute(latest.with_for_update(skip_locked=True)).mappings().first()
        if found is not None:
            db.execute(update(CALLS).where(CALLS.c.id == found["id"]).values(life=life))
        return None if found is None else CallRow(**found)

    @staticmethod
    def of_others(db: Connection, call_sids: Sequence[str], id_: str) -> list[str]:
        """Which of these telephone calls are known to be of another call than this one."""
        theirs = CALLS.c.call_sid.in_(call_sids) & (CALLS.c.id != fitted(CALLS.c.id, id_))
        return list(db.execute(select(CALLS.c.call_sid).where(theirs)).scalars())

    @staticmethod
    def end(db: Connection, call_sid: str, why: str, now: float) -> None:
        """Twilio says that this call is over."""
        values = {"over": why, "touched_at": now, "context": "", "state": ""}
        ours = CALLS.c.call_sid == fitted(CALLS.c.call_sid, call_sid)
        db.execute(update(CALLS).where(ours & (CALLS.c.over == "")).values(fitted_row(CALLS, values)))
        db.execute(delete(LINES).where(LINES.c.call.in_(select(CALLS.c.id).where(ours))))


def _still_ours(db: Connection, changes: Sequence[Change]) -> list[Change]:
    """Without those that another has resumed: what we still know of them is out of date."""
    ids = [change.id for change in changes]
    found = db.execute(select(CALLS.c.id, CALLS.c.run_number, CALLS.c.life).where(CALLS.c.id.in_(ids)))
    owners = {each.id: (each.run_number, each.life) for each in found}
    return [
        change
        for change in changes
        # a caller who goes elsewhere leaves a row that is nobody's
        if owners.get(change.id) == (change.run_number, change.values.get("life", change.life))
    ]


def _row(db: Connection, call_sid: str) -> CallRow | None:
    if not call_sid:
        return None
    ours = CALLS.c.call_sid == fitted(CALLS.c.call_sid, call_sid)
    newest = select(*_COLUMNS).where(ours).order_by(*_NEWEST).limit(1)
    found = db.execute(newest).mappings().first()
    return None if found is None else CallRow(**found)


def hash_of(token: str) -> str:
    """What the journal keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
