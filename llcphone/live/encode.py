"""What we say to GPT-Live, as compact JSON. One message is one event, or none: much has no place there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llcphone.live.tokens import APPEND_TOKENS, fitting

if TYPE_CHECKING:
    from collections.abc import Mapping

append_prefix = b'{"type":"session.input_audio.append","audio":"'
append_end = b'"}'

ITEM_BYTES = 2_500
"""Most of a tool's answer, in bytes of JSON text: a session takes 32,768 in all."""
_CUT = " [cut]"
"""Ends an answer of which the rest is left out."""

_PLACEHOLDER = "No room for this result."


def start(session: Mapping[str, Any], event_id: str) -> bytes:
    """``session.start``: the first event of a leg, with the whole session."""
    return _event("session.start", event_id, session=session)


def update(session: Mapping[str, Any], event_id: str) -> bytes | None:
    """``session.update``; only the delegation can change later. None: nothing else is in it."""
    if "delegation" not in session:
        return None
    return _event("session.update", event_id, session={"delegation": session["delegation"]})


def append_audio(payload: bytes) -> bytes:
    """``session.input_audio.append`` around base64 text, which must be nothing but base64."""
    return append_prefix + payload + append_end


def commentary(text: str, event_id: str) -> bytes:
    """What the voice is to speak about now."""
    return _context("commentary", text, event_id)


def thinking(text: str) -> bytes:
    """What the voice is to know, and not to speak about."""
    return _context("thinking", text)


def instructions(text: str, event_id: str) -> bytes:
    """An order that stays."""
    return _context("instructions", text, event_id)


def _context(way: str, text: str, event_id: str = "") -> bytes:
    # The id names a delegation to our own code; null is all else, and must be there.
    content = fitting(text, APPEND_TOKENS)
    return _event(f"session.{way}.append", event_id, content=content, delegation_id=None)


def create() -> bytes:
    """The backend is to go on with the answers it was given."""
    return _event("response.create")


def close() -> bytes:
    """The session is to end."""
    return _event("session.close")


# -- answers of tools ---------------------------------------------------------------------------


def output_item(call_id: str, output: str) -> dict[str, Any]:
    """A tool's answer for the backend, cut to ``ITEM_BYTES``."""
    return {"type": "function_call_output", "call_id": call_id, "output": _within(output, ITEM_BYTES)}


def placeholder_item(call_id: str) -> dict[str, Any]:
    """Stands for an answer that has no room: a call that is never answered blocks all later ones."""
    return {"type": "function_call_output", "call_id": call_id, "output": _PLACEHOLDER}


def item_bytes(item: Mapping[str, Any]) -> int:
    """What the item takes of the session's room."""
    return len(msgspec.json.encode(item))


def item_create(item: Mapping[str, Any], event_id: str) -> bytes:
    """``response.item.create``; it is not acknowledged."""
    return _event("response.item.create", event_id, item=item)


def _within(text: str, most: int) -> str:
    """The text, or its beginning and a sign that there was more, in at most so many bytes of JSON text."""
    if _json_bytes(text) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _json_bytes(text[:middle] + _CUT) <= most else (low, middle - 1)
    return text[:low] + _CUT


def _json_bytes(text: str) -> int:
    return len(msgspec.json.encode(text))


def _event(kind: str, event_id: str = "", **fields: Any) -> bytes:
    return msgspec.json.encode({"type": kind, **({"event_id": event_id} if event_id else {}), **fields})
