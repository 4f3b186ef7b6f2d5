"""Whether a request concerns a call of this process, while two processes share one port (`handover`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.server.authentication import read_form
from llcphone.server.head import HEAD_END, RequestRefused, parse_head

if TYPE_CHECKING:
    from llcphone.phone.ports import PhonePort


async def is_for_own_call(phone: PhonePort, request: bytes, *, asked: bool = False) -> bool:
    """Whether it does; False for a request that cannot be read.

    Args:
        phone: whose calls.
        request: its head, and its whole body if it has one.
        asked: the process that has the port asks. What it may go on with by the journal is then let go.
    """
    raw, _, body = request.partition(HEAD_END)
    try:
        head = parse_head(raw + HEAD_END)
        form = dict(read_form(body)) if head.method == b"POST" else {}
    except (RequestRefused, ValueError):
        return False
    match head.path.decode("ascii").strip("/").split("/"):
        case ["media", token]:
            return phone.expects(token)
        case ["status" | "amd" | "twiml", token]:
            return phone.dialler is not None and phone.dialler.knows(token)
        case ["transfer", _, _, token, _]:
            return phone.transfers.known(token) is not None
        case ["calls", call_id, *_]:
            return any(call.call_id == call_id for call in phone.calls())
        case ["resume", generation] if asked and generation.isdecimal():
            return not await phone.let_go(form, int(generation))
    return phone.has_call(form.get("CallSid", ""))
