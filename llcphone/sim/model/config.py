"""The session object: what a fresh session says, and what an accepted update makes of it."""

from __future__ import annotations

import copy
from typing import Any

from llcphone.sim.model.check import Refused, unsupported

Json = dict[str, Any]

SESSION_LIMIT_S = 3600.0
"""A session lasts at most 60 minutes."""

_INSTRUCTIONS = (
    "You are a helpful, witty, and friendly AI. Act like a human, but remember that you are not one. "
    "Your voice and personality should be warm and engaging."
)
_VAD: dict[str, Json] = {
    "server_vad": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        # The reference says 500; live sessions said 200.
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}
_NOT_ECHOED = ("delay",)
"""Accepted in a transcription, absent from the echo."""


def pcm() -> Json:
    """The default format both ways: PCM 24 kHz, never what a phone wants."""
    return {"type": "audio/pcm", "rate": 24000}


def fresh_session(session_id: str, model: str, expires_at: int) -> Json:
    """The defaults of ``session.created``, as recorded on the wire in December 2025."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": _INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": pcm(),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(_VAD["server_vad"]),
            },
            "output": {"format": pcm(), "voice": "alloy", "speed": 1.0},
        },
        "include": None,
    }


def merged(session: Json, update: Json, *, has_spoken: bool) -> Json:
    """A copy of ``session`` with a checked GA ``update`` applied, or ``Refused`` as a whole.

    Unset keys keep their value; lists and formats are replaced. Turn detection keeps what it had when
    its type stays, and starts from that type's defaults otherwise.
    """
    if update.get("type") == "transcription":
        raise unsupported("transcription", ("realtime",), "session.type")
    # The codes for a changed model are ours: the vendor documents only that it cannot be changed.
    if update.get("model", session["model"]) != session["model"]:
        raise Refused("cannot_update_model", "Cannot update a session's model.", "session.model")
    sound = update.get("audio", {})
    voice = sound.get("output", {}).get("voice")
    if has_spoken and voice not in (None, session["audio"]["output"]["voice"]):
        text = "Cannot update a conversation's voice if assistant audio is present."
        raise Refused("cannot_update_voice", text)
    result = copy.deepcopy(session)
    result.update(copy.deepcopy({key: value for key, value in update.items() if key != "audio"}))
    for side in ("input", "output"):
        result["audio"][side].update(copy.deepcopy(sound.get(side, {})))
    heard = result["audio"]["input"]
    heard["turn_detection"] = _turn_detection(
        session["audio"]["input"]["turn_detection"], heard["turn_detection"]
    )
    if heard["transcription"]:
        for key in _NOT_ECHOED:
            heard["transcription"].pop(key, None)
    for side in ("input", "output"):
        form = result["audio"][side]["format"]
        if form["type"] == "audio/pcm":
            form.setdefault("rate", 24000)
    return result


def _turn_detection(old: Json | None, new: Json | None) -> Json | None:
    if new is None:
        return None
    base = old if old and old["type"] == new["type"] else _VAD[new["type"]]
    return base | new
