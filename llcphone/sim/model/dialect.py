"""The flat dialect as a translation of the nested one.

The simulator thinks in GA terms only. A flat client event is nested when it has been checked, a server
event is flattened as it leaves. Renames: docs/vendor-facts.md, Dialects.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_PLACES: dict[str, tuple[str, ...]] = {
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
}
"""Flat key to GA path, for sessions and for ``response.create``; other keys are spelled alike."""

_FORMATS: dict[str, Json] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FORMAT_WORDS = {form["type"]: word for word, form in _FORMATS.items()}
_PARTS = {"text": "output_text", "audio": "output_audio"}
_PART_WORDS = {ga: flat for flat, ga in _PARTS.items()}

_GA_KEYS = {"type", "audio", "output_modalities", "max_output_tokens"}
"""Keys of a GA session that the flat one spells otherwise or lacks."""

_RENAMED = {"response.output_text.": "response.text.", "response.output_audio": "response.audio"}


def nest(flat: Json) -> Json:
    """A flat session or response, given by a client, in GA shape."""
    nested: Json = {}
    for key, value in flat.items():
        *path, last = _PLACES.get(key, (key,))
        place = nested
        for step in path:
            place = place.setdefault(step, {})
        place[last] = _value_to_ga(key, value)
    return nested


def _value_to_ga(key: str, value: Any) -> Any:
    match key:
        case "input_audio_format" | "output_audio_format":
            return dict(_FORMATS[value])
        case "modalities":
            return ["audio"] if "audio" in value else ["text"]
        case "input":
            return [nest_item(item) for item in value]
        case _:
            return value


def nest_item(item: Json) -> Json:
    """A flat conversation item in GA shape: only assistant parts are named differently."""
    if item.get("role") != "assistant":
        return item
    return item | {"content": [part | {"type": _PARTS[part["type"]]} for part in item["content"]]}


def flatten(event: Json) -> Json | None:
    """A GA server event in flat shape; None for one the flat dialect does not have."""
    kind: str = event["type"]
    if kind == "conversation.item.done":
        return None
    if kind == "conversation.item.added":
        kind = "conversation.item.created"
    for ga, flat in _RENAMED.items():
        kind = kind.replace(ga, flat)
    event = event | {"type": kind}
    if "item" in event:
        event["item"] = _flatten_item(event["item"])
    if "response" in event:
        event["response"] = _flatten_response(event["response"])
    if "session" in event:
        event["session"] = _flatten_session(event["session"])
    return event


def _flatten_item(item: Json) -> Json:
    if item.get("role") != "assistant":
        return item
    return item | {"content": [part | {"type": _PART_WORDS[part["type"]]} for part in item["content"]]}


def _flatten_response(response: Json) -> Json:
    plain = {key: value for key, value in response.items() if key not in ("audio", "output_modalities")}
    spoken = response["audio"]["output"]
    return plain | {
        "output": [_flatten_item(item) for item in response["output"]],
        "modalities": _modalities(response["output_modalities"]),
        "voice": spoken["voice"],
        "output_audio_format": _FORMAT_WORDS[spoken["format"]["type"]],
        "temperature": 0.8,
    }


def _flatten_session(session: Json) -> Json:
    flat = {key: value for key, value in session.items() if key not in _GA_KEYS}
    for word, (*path, last) in _PLACES.items():
        place = session
        for step in path:
            place = place[step]
        flat[word] = place[last]
    flat["modalities"] = _modalities(flat["modalities"])
    for word in ("input_audio_format", "output_audio_format"):
        flat[word] = _FORMAT_WORDS[flat[word]["type"]]
    return {"temperature": 0.8} | flat | {"client_secret": None}


def _modalities(nested: list[str]) -> list[str]:
    return ["audio", "text"] if nested == ["audio"] else ["text"]
