"""xAI's session object as a translation of the nested one; its events are those of GA but for one name."""

from __future__ import annotations

from typing import Any

from llcphone.sim.model.check import Check, every, integer, loose, maybe, number, tagged, text, word

Json = dict[str, Any]

_FORMAT = tagged(
    {
        "audio/pcm": loose(type=text, rate=integer(8000, 48000)),
        "audio/pcmu": loose(type=text, rate=integer(8000, 8000)),
        "audio/pcma": loose(type=text, rate=integer(8000, 8000)),
    }
)
XAI_RESPONSE = loose(modalities=every(word("text", "audio")), instructions=text)


def xai_session(tools: Check) -> Check:
    """What a session's update may hold; the tools are checked as elsewhere."""
    return loose(
        instructions=text,
        voice=text,
        turn_detection=loose(
            type=maybe(word("server_vad")),
            threshold=number(0.1, 0.9),
            silence_duration_ms=integer(0, 10_000),
            prefix_padding_ms=integer(0, 10_000),
        ),
        tools=tools,
        reasoning=loose(effort=word("high", "none")),
        audio=loose(
            input=loose(format=_FORMAT, transcription=loose(model=text, language_hint=text)),
            output=loose(format=_FORMAT, speed=number(0.7, 1.5)),
        ),
    )


_AT_ROOT = ("instructions", "tools")


def nest_session(update: Json) -> Json:
    """An update in GA shape: what xAI knows of it. Everything else is dropped without a word."""
    nested: Json = {key: update[key] for key in _AT_ROOT if key in update}
    heard, spoken = _side(update, "input"), _side(update, "output")
    if "turn_detection" in update:
        turns = update["turn_detection"] or {}
        known = ("type", "threshold", "silence_duration_ms", "prefix_padding_ms")
        by_hand = turns.get("type") is None
        heard["turn_detection"] = None if by_hand else {key: turns[key] for key in known if key in turns}
    if "voice" in update:
        spoken["voice"] = update["voice"]
    nested["audio"] = {"input": heard, "output": spoken}
    return nested


def _side(update: Json, way: str) -> Json:
    given = update.get("audio", {}).get(way, {})
    side: Json = {}
    form = given.get("format", {})
    if "rate" in form:  # a format without its rate is not taken
        kind = form["type"]
        side["format"] = {"type": kind} if kind != "audio/pcm" else dict(form)
    if way == "input" and "transcription" in given:
        side["transcription"] = {"model": given["transcription"].get("model", "grok-transcribe")}
    if way == "output" and "speed" in given:
        side["speed"] = given["speed"]
    return side


def spell(event: Json) -> Json:
    """A GA server event as xAI sends it."""
    if event["type"].startswith("response.output_text."):
        event = event | {"type": event["type"].replace("output_text", "text")}
    if "session" in event:
        event = event | {"session": _session(event["session"])}
    return event


def _session(session: Json) -> Json:
    heard, spoken = session["audio"]["input"], session["audio"]["output"]
    return {
        "id": session["id"],
        "object": "realtime.session",
        "model": session["model"],
        "voice": spoken["voice"],
        "instructions": session["instructions"],
        "tools": session["tools"],
        "turn_detection": heard["turn_detection"] or {"type": None},
        "audio": {
            "input": {"format": _rated(heard["format"])},
            "output": {"format": _rated(spoken["format"]), "speed": spoken["speed"]},
        },
    }


def _rated(form: Json) -> Json:
    return {"rate": 24000 if form["type"] == "audio/pcm" else 8000} | form
