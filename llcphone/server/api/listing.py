"""The list of calls in pages: live ones first, then those that have ended, the newest first.

Ended calls come from the store if there is one. Without a store they are those that this process remembers.
"""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Literal, cast

import attrs
import trio

from llcphone.engine.events import EndReason
from llcphone.errors import StoreUnavailable
from llcphone.server.api.calls import view_of, without_record
from llcphone.server.api.errors import ApiError, store_unavailable
from llcphone.server.api.models import CallList, CallView
from llcphone.store.search import CallFilter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from werkzeug.datastructures import MultiDict

    from llcphone.server.api.calls import CallIndex
    from llcphone.store.models import CallSummary
    from llcphone.store.search import Place
    from llcphone.store.store import Store

MOST = 200
USUAL = 100
LONGEST = 255
"""Characters of an agent's name."""

CURSOR = r"^(live|ended)~[0-9]{1,11}(\.[0-9]{1,9})?~[0-9A-Za-z._-]{1,64}$"
LATEST = 99_999_999_999
"""Unix time."""

Where = Literal["live", "ended"]

_AT_ONCE = 50
_DIRECTIONS = ("inbound", "outbound")


@attrs.frozen
class ListRequest:
    """Which calls are to be listed."""

    wanted: CallFilter
    where: Where
    """Among which calls it begins."""
    after: Place | None
    """Behind which of them; None: with the newest."""
    limit: int


# -- requests -----------------------------------------------------------------------------------


def read_list_request(args: MultiDict[str, str]) -> ListRequest:
    """The parameters of ``GET /calls``.

    Raises:
        ApiError: one of them has no such value.
    """
    given = {name: _one(args, name) for name in args if name in _PARAMETERS}
    limit = given.get("limit", str(USUAL))
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= MOST:
        raise _bad("limit", f"is not a number from 1 to {MOST}", f"write ?limit={USUAL}")
    for name, known in (("direction", _DIRECTIONS), ("outcome", [reason.value for reason in EndReason])):
        if name in given and given[name] not in known:
            raise _bad(name, "has no such value", f"use one of: {', '.join(known)}")
    agent = given.get("agent", "")
    if len(agent) > LONGEST:
        raise _bad("agent", "is too long", "write the name of an agent")
    wanted = CallFilter(
        agent=agent,
        direction=given.get("direction", ""),
        outcome=given.get("outcome", ""),
        ended_from=_time(given, "from"),
        ended_before=_time(given, "to"),
    )
    begin: tuple[Where, Place | None] = place_of(given["cursor"]) if "cursor" in given else ("live", None)
    return ListRequest(wanted, *begin, int(limit))


_PARAMETERS = frozenset({"limit", "cursor", "agent", "direction", "outcome", "from", "to"})


def cursor_of(where: Where, place: Place) -> str:
    """Where a page ended, as clients send it back: what they make of it, or make up, can do no harm."""
    at, id_ = place
    return f"{where}~{at!r}~{id_}"


def place_of(cursor: str) -> tuple[Where, Place]:
    """Where a page begins, and among which calls.

    Raises:
        ApiError: it is no cursor.
    """
    if not re.fullmatch(CURSOR, cursor):
        raise _bad("cursor", "is none of ours", "send what the page before has as next")
    where, at, id_ = cursor.split("~")
    return cast("Where", where), (float(at), id_)


def _one(args: MultiDict[str, str], name: str) -> str:
    values = args.getlist(name)
    if len(values) != 1:
        raise _bad(name, "is given more than once", "give it once")
    return values[0]


def _time(given: Mapping[str, str], name: str) -> float | None:
    if name not in given:
        return None
    try:
        at = float(given[name])
    except ValueError:
        at = math.nan
    if not 0 <= at <= LATEST:
        raise _bad(name, "is not a time", "write Unix time, such as 1767225600")
    return at


def _bad(name: str, why: str, fix: str) -> ApiError:
    return ApiError(422, "bad_parameter", f"{name} {why}", fix)


# -- answers ------------------------------------------------------------------------------------


async def list_calls(index: CallIndex, store: Store | None, asked: ListRequest) -> CallList:
    """A page of calls, with complete numbers.

    Raises:
        ApiError: the store does not answer.
    """
    views, after = [], asked.after
    if asked.where == "live":
        live = [view async for view in _live(index) if _fits(view, asked.wanted)]
        views, after = _following(live, _born, after)[: asked.limit], None
        if len(views) == asked.limit:
            return CallList(views, cursor_of("live", _born(views[-1])))
    ended, place = await _ended(index, store, asked.wanted, after, asked.limit - len(views))
    shown = {view.id: view for view in [*views, *ended]}  # some may have ended meanwhile
    return CallList([*shown.values()], None if place is None else cursor_of("ended", place))


async def _live(index: CallIndex) -> AsyncIterator[CallView]:
    """The live calls, so many at once that audio is not late for them."""
    for at, call in enumerate(index.live_calls()):
        if at % _AT_ONCE == _AT_ONCE - 1:
            await trio.lowlevel.checkpoint()
        yield without_record(view_of(call))


async def _ended(
    index: CallIndex, store: Store | None, wanted: CallFilter, after: Place | None, limit: int
) -> tuple[list[CallView], Place | None]:
    if store is None:
        remembered = [view for view in index.remembered() if _fits(view, wanted)]
        left = _following(remembered, _over, after)
        return left[:limit], _over(left[limit - 1]) if len(left) > limit else None
    try:
        found = await store.history.find(wanted, after=after, limit=limit)
    except StoreUnavailable as error:
        raise store_unavailable(error) from None
    views = [
        _view_of(call) if (known := index.ended(call.id)) is None else without_record(known)
        for call in found.calls
    ]
    return views, found.next


def _following(
    views: list[CallView], key: Callable[[CallView], Place], after: Place | None
) -> list[CallView]:
    """Those behind a place, the newest first."""
    left = views if after is None else [view for view in views if key(view) < after]
    return sorted(left, key=key, reverse=True)


def _born(view: CallView) -> Place:
    return view.created_at, view.id


def _over(view: CallView) -> Place:
    return view.created_at + (view.duration_s or 0.0), view.id


def _fits(view: CallView, wanted: CallFilter) -> bool:
    """Whether a call is wanted; one that is live has no outcome, and ends later than now."""
    at = time.time() if view.duration_s is None else _over(view)[0]
    return (
        wanted.agent in ("", view.agent)
        and wanted.direction in ("", view.direction)
        and wanted.outcome in ("", view.reason)
        and (wanted.ended_from is None or wanted.ended_from <= at)
        and (wanted.ended_before is None or at < wanted.ended_before)
    )


def _view_of(call: CallSummary) -> CallView:
    return CallView(
        id=call.id,
        state="ended",
        direction="outbound" if call.direction == "outbound" else "inbound",
        agent=call.agent,
        to=call.dialled,
        from_=call.caller,
        call_sid=call.call_sid or None,
        created_at=round(call.born_at, 3),
        dialled_after_ms=None,  # how it was dialled is not kept, and its start is in the record
        answered_after_ms=None,
        talking_after_ms=None,
        duration_s=call.duration_s,
        answered_by=None,
        reason=call.reason,
    )
