"""Ended calls that this process does not know, from the store: those of a process before, and old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.errors import StoreUnavailable
from llcphone.server.api.errors import ApiError
from llcphone.server.api.models import CallDetail

if TYPE_CHECKING:
    from llcphone.store.models import CallDetails
    from llcphone.store.store import Store

_RETRY_S = 10


async def stored_call(store: Store | None, call_id: str) -> CallDetail | None:
    """A call as the API shows it; None: it is not in the store, or there is none.

    Raises:
        ApiError: the database does not answer, so this is unknown.
    """
    if store is None:
        return None
    try:
        details = await store.call(call_id)
    except StoreUnavailable as error:
        fix = "ask again after Retry-After, or see llcphone doctor"
        raise ApiError(503, "store_unavailable", f"{error}.", fix, retry_after_s=_RETRY_S) from None
    return None if details is None else _view(details)


def _view(details: CallDetails) -> CallDetail:
    summary, record = details.summary, details.record
    parts = {"call_id": summary.id, "turns": details.turns, "transcript": details.lines}
    return CallDetail(
        id=summary.id,
        state="ended",
        direction="outbound" if summary.direction == "outbound" else "inbound",
        agent=summary.agent,
        to=summary.dialled,
        from_=summary.caller,
        call_sid=summary.call_sid or None,
        created_at=round(summary.born_at, 3),
        dialled_after_ms=None,  # how it was dialled is not kept
        answered_after_ms=None,
        talking_after_ms=record.get("started_after_ms"),
        duration_s=summary.duration_s,
        answered_by=None,
        reason=summary.reason,
        record=record | parts,
    )
