"""Searches the calls that have ended, and shows what they were like of late.

    POST /api/calls/search          a page of calls. Numbers and words come in the body: addresses are logged
    POST /api/calls/export          the same calls as a table (CSV), all pages of them
    GET  /api/trends?by=hour|day    how many calls, how long their callers waited, what they cost

All of it comes from the store. Looking at one call shows its number or words only if this session may see
them; a search by words is logged, as it tells something of what was said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import attrs
import msgspec
from msgspec import Meta
from quart import Response, request

from llcphone.console.requests import read_body, session_of
from llcphone.errors import StoreUnavailable
from llcphone.runtime.log_lines import logger
from llcphone.runtime.time_zones import zone_of
from llcphone.server.api.errors import ApiError, json_response, store_unavailable
from llcphone.server.api.listing import cursor_of, place_of
from llcphone.store.search import CallFilter
from llcphone.store.spreadsheet import as_csv
from llcphone.telemetry.redaction import masked_number
from llcphone.validation.e164 import e164

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from quart import Blueprint

    from llcphone.console.access import Session
    from llcphone.console.console import Console
    from llcphone.phone.phone import Phone
    from llcphone.store.history import By, Found, History
    from llcphone.store.models import CallSummary

T = TypeVar("T")

EXPORTED = 10_000
"""Calls in a table at most."""
_ROWS = 50
"""Calls of a table that are written at once, for that holds the event loop."""

Most = Annotated[float, Meta(ge=0, le=1e11)]

log = logger("llcphone.console")


class Search(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of ``POST /api/calls/search``; what is left out does not matter."""

    text: Annotated[str, Meta(max_length=200)] = ""
    number: Annotated[str, Meta(max_length=512)] = ""
    agent: Annotated[str, Meta(max_length=255)] = ""
    direction: Literal["", "inbound", "outbound"] = ""
    outcome: str = ""
    from_: Most | None = msgspec.field(default=None, name="from")
    to: Most | None = None
    longer_than_s: Most | None = None
    slower_than_ms: Annotated[int, Meta(ge=0, le=10**11)] | None = None
    dearer_than_usd: Most | None = None
    attention: bool = False
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50

    def wanted(self) -> CallFilter:
        """Which calls these are."""
        return CallFilter(
            text=self.text.strip(),
            number=_number(self.number.strip()),
            agent=self.agent,
            direction=self.direction,
            outcome=self.outcome,
            ended_from=self.from_,
            ended_before=self.to,
            longer_than_s=self.longer_than_s,
            slower_than_ms=self.slower_than_ms,
            dearer_than_usd=self.dearer_than_usd,
            attention=self.attention,
        )


def add_search(blueprint: Blueprint, console: Console, phone: Phone) -> None:
    """Add these routes."""

    @blueprint.post("/calls/search")
    async def search() -> Response:
        history, session, asked, wanted = await _asked(console, phone)
        where, after = ("ended", None) if asked.cursor is None else place_of(asked.cursor)
        if where != "ended":
            raise ApiError(
                422, "bad_parameter", "the cursor belongs to another list", "send the next of this list"
            )
        found = await _answered(history.find(wanted, after=after, limit=asked.limit))
        return json_response(
            {
                "calls": [_row(call, session) for call in found.calls],
                "next": None if found.next is None else cursor_of("ended", found.next),
                "complete": found.complete,
            }
        )

    @blueprint.post("/calls/export")
    async def export() -> Response:
        history, session, _, wanted = await _asked(console, phone)
        first = await _answered(history.find(wanted, limit=_ROWS))  # so that trouble is a status
        headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
        table = _table(history, wanted, first, session)
        return Response(table, 200, headers, content_type="text/csv; charset=utf-8")

    @blueprint.get("/trends")
    async def trends() -> Response:
        by = request.args.get("by", "hour")
        if by not in ("hour", "day"):
            raise ApiError(422, "bad_parameter", "by is not hour or day", "write ?by=hour or ?by=day")
        zone = zone_of(phone.config.company.time_zone, "company.time_zone")
        return json_response(attrs.asdict(await _answered(_history(phone).trends(cast("By", by), zone))))


async def _asked(console: Console, phone: Phone) -> tuple[History, Session, Search, CallFilter]:
    """What is looked for, where, and by whom.

    Raises:
        ApiError: the body is none, or this may not be looked for.
    """
    history, session, asked = _history(phone), session_of(), await read_body(Search)
    wanted = asked.wanted()
    if wanted.text and console.config.words == "never":
        why = "this console never shows words, so it cannot search them"
        raise ApiError(403, "never_shown", why, 'set console.words = "ask"')
    if wanted.text or wanted.number:
        fields = {"session": session.id, "words": bool(wanted.text), "number": masked_number(wanted.number)}
        log.info("console: searched", extra=fields)
    return history, session, asked, wanted


def _history(phone: Phone) -> History:
    if (store := phone.store) is None:
        why = "this server keeps no calls: it has no store"
        raise ApiError(404, "no_store", why, "set store.url to a database, such as sqlite:///phone.db")
    return store.history


async def _answered(question: Awaitable[T]) -> T:
    try:
        return await question
    except StoreUnavailable as error:
        raise store_unavailable(error) from None


def _number(text: str) -> str:
    """A number as calls have it; what is none, such as an address, as it is."""
    return e164(text, None) or text


def _row(call: CallSummary, session: Session) -> dict[str, Any]:
    whole = session.revealed(call.id, "numbers")
    return {
        "id": call.id,
        "direction": call.direction,
        "from": call.caller if whole else masked_number(call.caller),
        "to": call.dialled if whole else masked_number(call.dialled),
        "agent": call.agent,
        "reason": call.reason,
        "answered": call.answered,
        "born_at": call.born_at,
        "ended_at": call.ended_at,
        "duration_s": call.duration_s,
        "turns": call.turns,
        "barge_ins": call.barge_ins,
        "slowest_ms": call.slowest_ms,
        "cost_usd": call.cost_usd,
        "failure": call.failure,
        "attention": call.attention,
        "run_number": call.run_number,
        "resumed_from": call.resumed_from,
    }


async def _table(
    history: History, wanted: CallFilter, found: Found, session: Session
) -> AsyncIterator[bytes]:
    """The calls as CSV, piece by piece."""
    count, head = 0, True
    while True:
        yield as_csv((_shown(call, session) for call in found.calls), head=head).encode()
        count, head = count + len(found.calls), False
        if found.next is None or count >= EXPORTED:
            return
        found = await history.find(wanted, after=found.next, limit=_ROWS)


def _shown(call: CallSummary, session: Session) -> CallSummary:
    """A call with as much as this session may see."""
    if not session.revealed(call.id, "numbers"):
        call = attrs.evolve(call, caller=masked_number(call.caller), dialled=masked_number(call.dialled))
    return call if session.revealed(call.id, "words") else attrs.evolve(call, context="")
