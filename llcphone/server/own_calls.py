"""Whether a request concerns a call of this process, while two processes share one port (`handover`)."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from llcphone.server.authentication import read_form
from llcphone.server.head import HEAD_END, RequestRefused, parse_head

if TYPE_CHECKING:
    from llcphone.phone.phone import Phone

_OF_A_CALL = frozenset({"media", "status", "amd", "twiml", "transfer", "calls", "resume"})
"""First parts of paths whose next part names a call."""


async def is_for_own_call(phone: Phone, request: bytes, *, asked: bool = False) -> bool:
    """Whether it does; False for a request that cannot be read.

    ``asked``: the process that has the port asks. What it may go on with by the journal is then let go.
    """
    if (read := _read(request)) is None:
        return False
    path, form = read
    match path:
        case ["media", token]:
            return phone.expects(token)
        case ["status" | "amd" | "twiml", token]:
            return phone.dialler is not None and phone.dialler.knows(token)
        case ["transfer", token, _, _, _]:
            return phone.transfers.knows(token)
        case ["calls", call_id, *_]:
            return call_id in phone.calls_by_id
        case ["resume", run_number, *_] if asked and run_number.isdecimal():
            return not await phone.let_go(form, int(run_number))
    return phone.has_call(form.get("CallSid", ""))


class Concern(Enum):
    """Which calls a request may be about."""

    NONE = "none"
    NEW = "a call that is probably new"
    """The voice webhook; it comes again, with the same call, when its answer was lost."""
    BEGUN = "a call that has begun"


def concern_of(request: bytes) -> Concern:
    """Which calls a whole request may be about, by its path and form."""
    if (read := _read(request)) is None:
        return Concern.NONE
    path, form = read
    if path == ["twiml"]:
        return Concern.NEW
    of_a_call = len(path) > 1 and path[0] in _OF_A_CALL
    return Concern.BEGUN if of_a_call or form.get("CallSid") else Concern.NONE


def _read(request: bytes) -> tuple[list[str], dict[str, str]] | None:
    """Path and form; None: it cannot be read."""
    raw, _, body = request.partition(HEAD_END)
    try:
        head = parse_head(raw + HEAD_END)
        form = dict(read_form(body)) if head.method == b"POST" else {}
    except (RequestRefused, ValueError):
        return None
    return head.path.decode("ascii").strip("/").split("/"), form
