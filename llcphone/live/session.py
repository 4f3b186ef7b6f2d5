"""GPT-Live's session object, read into the facts that a call needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.realtime.session_state import session_updated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.realtime.events import SessionUpdated


def session_state(session: Mapping[str, Any]) -> SessionUpdated:
    """What the server says it does now. GPT-Live has one format for both directions.

    A session that names no format has none here: its default is 24 kHz PCM, not the telephone's.
    """
    audio = session.get("audio")
    audio = audio if isinstance(audio, dict) else {}
    output = audio.get("output")
    voice = output.get("voice") if isinstance(output, dict) else None
    way = {"format": audio.get("format")}
    ga = {
        "audio": {"input": way, "output": {**way, "voice": voice}},
        "expires_at": session.get("expires_at"),
    }
    return attrs.evolve(session_updated(ga), session=session)
