"""The parts that the samples are made of: ids, items, responses, sessions."""

from __future__ import annotations

from typing import Any

from llcphone.realtime.events import Item, Usage

R = {"response_id": "resp_1", "output_index": 0}
I = {"item_id": "item_1", "content_index": 0}  # noqa: E741
CALL_BODY = {
    "id": "item_2",
    "object": "realtime.item",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "look_up",
    "arguments": '{"who":"me"}',
}
CALL = Item(
    "item_2", "function_call", status="completed", call_id="call_1", name="look_up", arguments='{"who":"me"}'
)
TOKENS = {
    "total_tokens": 320,
    "input_tokens": 132,
    "output_tokens": 188,
    "input_token_details": {
        "text_tokens": 59,
        "audio_tokens": 73,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 54},
    },
    "output_token_details": {"text_tokens": 41, "audio_tokens": 147},
}
USAGE = Usage(59, 73, 10, 54, 41, 147)
CACHED_WITHOUT_KINDS = {
    **TOKENS,
    "input_token_details": {"text_tokens": 100, "audio_tokens": 32, "cached_tokens": 64},
}


def message(role: str, *parts: dict[str, Any], status: str = "completed") -> dict[str, Any]:
    """A message item's body."""
    return {
        "id": "item_1",
        "object": "realtime.item",
        "type": "message",
        "status": status,
        "role": role,
        "content": list(parts),
    }


def response(status: str, **more: Any) -> dict[str, Any]:
    """A response object of the default conversation."""
    return {
        "id": "resp_1",
        "object": "realtime.response",
        "status": status,
        "status_details": None,
        "output": [],
        "conversation_id": "conv_1",
        "usage": None,
        "metadata": None,
        **more,
    }


def events(kind: str, **fields: Any) -> dict[str, Any]:
    """An event; every one carries an id."""
    return {"type": kind, "event_id": "event_1", **fields}


GA_SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime-1.5",
    "output_modalities": ["audio"],
    "tools": [],
    "tool_choice": "auto",
    "expires_at": 1767233035,
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "transcription": None, "turn_detection": None},
        "output": {"format": {"type": "audio/pcmu"}, "voice": "cedar", "speed": 1.0},
    },
}
FLAT_SESSION = {
    "id": "sess_1",
    "object": "realtime.session",
    "model": "gpt-realtime",
    "modalities": ["audio", "text"],
    "voice": "cedar",
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "g711_ulaw",
    "turn_detection": None,
    "expires_at": 1767233035,
}
