"""The server's session object of either dialect, read back into the flat vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.realtime.events import SessionCreated, SessionUpdated

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLAT_FORMAT = {"audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw", "audio/pcm": "pcm16"}

_LATEST_S = 2**40
"""No session expires later; a greater number is no time."""


def session_created(session: Mapping[str, Any]) -> SessionCreated:
    """Only the id and the age limit: the rest are the server's defaults, not our settings."""
    session_id = session.get("id")
    return SessionCreated(session_id if isinstance(session_id, str) else "", _expires_at(session))


def session_updated(session: Mapping[str, Any]) -> SessionUpdated:
    """What the server says it will do now; a format it does not name is an empty word."""
    spoken = _dig(session, "audio", "output", "voice") or session.get("voice")
    if isinstance(spoken, dict):  # a custom voice: {"id": "voice_…"}
        spoken = spoken.get("id")
    return SessionUpdated(
        _format(session, "input"),
        _format(session, "output"),
        voice=spoken if isinstance(spoken, str) else "",
        expires_at=_expires_at(session),
        session=session,
    )


def _format(session: Mapping[str, Any], way: str) -> str:
    nested = _dig(session, "audio", way, "format")
    found = nested if nested is not None else session.get(f"{way}_audio_format")
    if not isinstance(found, dict):
        return found if isinstance(found, str) else ""
    kind, rate = found.get("type"), found.get("rate")
    # µ-law at another rate than the telephone's is not what we asked for, so it keeps a name of its own.
    if kind in ("audio/pcmu", "audio/pcma") and rate not in (None, 8000):
        return f"{kind};rate={rate}"
    return _FLAT_FORMAT.get(kind, kind) if isinstance(kind, str) else ""


def _expires_at(session: Mapping[str, Any]) -> int | None:
    when = session.get("expires_at")
    if not isinstance(when, int | float) or isinstance(when, bool):
        return None
    return int(when) if 0 < when < _LATEST_S else None


def _dig(tree: Any, *path: str) -> Any:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
