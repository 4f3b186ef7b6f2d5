"""The session object: what ``session.started`` says, and what an accepted update makes of it."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

PCM: Json = {"type": "audio/pcm", "rate": 24000}
"""The format of a session that asks for none."""
INSTRUCTIONS = "You are a helpful voice assistant."
"""The server's own prompt is not published."""


def resolved(asked: Json, session_id: str, expires_at: int) -> Json:
    """A checked ``session`` of ``session.start`` with the defaults filled in."""
    given = {key: value for key, value in copy.deepcopy(asked).items() if value is not None}
    sound = given.get("audio") or {}
    delegation = given.get("delegation") or {"type": "client"}
    if delegation.get("acknowledgement_delay_ms") is None:
        delegation["acknowledgement_delay_ms"] = 400 if delegation["type"] == "decisions" else 0
    if not given.get("instructions", "").strip():
        given["instructions"] = INSTRUCTIONS
    voice = (sound.get("output") or {}).get("voice") or "marin"
    audio = {"format": sound.get("format") or dict(PCM), "output": {"voice": voice}}
    return {
        "id": session_id,
        "expires_at": expires_at,
        "status": "active",
        "input": [],
        "store": False,
        **given,
        "audio": audio,
        "delegation": delegation,
    }


def merged(config: Json, update: Json) -> Json:
    """A copy of the session object with a checked update applied.

    Settings of the delegation that the update does not name, or names as null, keep their value; tools are
    replaced as a whole.
    """
    config, update = copy.deepcopy(config), copy.deepcopy(update)
    delegation = config["delegation"]
    for key, value in (update.get("delegation") or {}).items():
        if isinstance(value, dict):
            named = {name: each for name, each in value.items() if each is not None}
            delegation[key] = {**delegation.get(key, {}), **named}
        elif value is not None:
            delegation[key] = value
    if update.get("triggers") is not None:
        config["triggers"] = update["triggers"]
    return config
