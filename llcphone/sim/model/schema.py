"""Which client events the simulated server takes, key by key, in each dialect.

Sources: the official package's types (openai 3.52.0), and recorded traffic for refusals and accepted event
types (docs/vendor-facts.md). The flat tables describe
what the retired beta took and self-hosted servers still take: any voice, and the ``prompt_cache_key`` of
servers that cache.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from llcphone.sim.model.check import (
    Check,
    Refused,
    anything,
    either,
    every,
    flag,
    integer,
    matching,
    maybe,
    number,
    record,
    short,
    tagged,
    text,
    unsupported,
    word,
)
from llcphone.sim.model.xai import XAI_RESPONSE, xai_session


class Dialect(Enum):
    """The ways to spell the same session."""

    GA = "ga"
    FLAT = "flat"
    XAI = "xai"


VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
FORMATS = ("audio/pcm", "audio/pcmu", "audio/pcma")
MAX_APPEND_BYTES = 15 * 2**20
MAX_CALL_ID = 32
"""Of a call that the client reports; an answer may name any call that is there."""
MAX_OUTPUT = 100_000
"""Characters of a tool's answer; the vendor's own limit is not documented."""

_LENGTH = either(word("inf"), integer(1, 4096))
_TOOL_NAME = matching(r"^[a-zA-Z0-9_-]+$", 64)
_FUNCTION_FIELDS = record(
    "type", "name", type=text, name=_TOOL_NAME, description=text, parameters=maybe(anything)
)
_FUNCTION_CHOICE = record("type", "name", type=text, name=_TOOL_NAME)


def _function(value: Any, where: str) -> None:
    """A function tool, with a schema that says of each array what it holds."""
    _FUNCTION_FIELDS(value, where)
    context = _array_without_items(value.get("parameters"), ())
    if context is not None:
        place = ", ".join(f"'{step}'" for step in context)
        complaint = f"In context=({place}), array schema missing items."
        whole = f"Invalid schema for function '{value['name']}': {complaint}"
        raise Refused("invalid_function_parameters", whole, f"{where}.parameters")


def _array_without_items(schema: Any, context: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where a schema, however deep, has an array that does not say of what; None: nowhere."""
    if isinstance(schema, list):
        found = (_array_without_items(each, (*context, str(at))) for at, each in enumerate(schema))
        return next((each for each in found if each is not None), None)
    if not isinstance(schema, dict):
        return None
    kind = schema.get("type")
    holds = isinstance(schema.get("items"), dict)
    if (kind == "array" or (isinstance(kind, list) and "array" in kind)) and not holds:
        return context
    plain = ("const", "default", "enum", "example", "examples", "description")
    inner = ((key, each) for key, each in schema.items() if key not in plain)
    found = (_array_without_items(each, (*context, key)) for key, each in inner)
    return next((each for each in found if each is not None), None)


_TRACING = either(word("auto"), record(workflow_name=text, group_id=text, metadata=anything))
_VAD = {"type": text, "create_response": flag, "interrupt_response": flag}
_SERVER_VAD = record(
    **_VAD,
    threshold=number(0, 1),
    prefix_padding_ms=integer(0),
    silence_duration_ms=integer(0),
    idle_timeout_ms=maybe(integer(1)),
)
_SEMANTIC_VAD = record(**_VAD, eagerness=word("low", "medium", "high", "auto"))
_TURN_DETECTION = maybe(tagged({"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}))
_MCP: dict[str, Check] = {
    **dict.fromkeys(("type", "server_label", "server_description", "server_url", "connector_id"), text),
    **dict.fromkeys(("authorization", "headers", "allowed_tools", "require_approval"), anything),
    **dict.fromkeys(("allowed_callers", "defer_loading", "tunnel_id"), anything),
}
_TOOLS = every(tagged({"function": _function, "mcp": record("server_label", **_MCP)}))
_TOOL_CHOICE = either(
    word("none", "auto", "required"),
    tagged({"function": _FUNCTION_CHOICE, "mcp": record(type=text, server_label=text, name=text)}),
)


def _modalities(*combinations: tuple[str, ...]) -> Check:
    """Only whole sets are valid: audio brings its transcript, so GA refuses both together."""

    def check(value: Any, where: str) -> None:
        every(word("text", "audio"))(value, where)
        if sorted(value) not in [sorted(each) for each in combinations]:
            listing = " and ".join(str(list(each)) for each in combinations)
            complaint = f"Invalid modalities: {value}. Supported combinations are: {listing}."
            raise Refused("invalid_value", complaint, where)

    return check


def _metadata(value: Any, where: str) -> None:
    """At most 16 pairs of strings, 64 and 512 characters."""
    if not isinstance(value, dict) or len(value) > 16:
        raise Refused("invalid_value", f"Invalid '{where}': expected at most 16 pairs of strings.", where)
    for key, word_ in value.items():
        short(64)(key, f"{where}.{key}")
        short(512)(word_, f"{where}.{key}")


# Items ---------------------------------------------------------------------------------------------------

_ITEM = {"type": text, "id": short(32), "object": word("realtime.item"), "status": text}


def _part(*required: str, **fields: Check) -> Check:
    return record("type", *required, type=text, **fields)


_USER_PARTS = {
    "input_text": _part("text", text=text),
    "input_audio": _part("audio", audio=text, transcript=maybe(text)),
}
_IMAGE = {"input_image": _part("image_url", image_url=text, detail=word("auto", "low", "high"))}
# Assistant audio cannot be re-created from history: the server misses its text (openai-agents-js 963).
_SPOKEN = _part("text", text=text, audio=text, transcript=text)


def _message(assistant: dict[str, Check], user: dict[str, Check]) -> Check:
    parts = {"user": user, "assistant": assistant, "system": {"input_text": _USER_PARTS["input_text"]}}
    outline = record("type", "role", "content", **_ITEM, role=word(*parts), content=anything)

    def check(value: Any, where: str) -> None:
        outline(value, where)
        every(tagged(parts[value["role"]]))(value["content"], f"{where}.content")

    return check


def _items(message: Check) -> dict[str, Check]:
    call = {"name": _TOOL_NAME, "call_id": short(MAX_CALL_ID), "arguments": text}
    return {
        "message": message,
        "function_call": record("name", "arguments", **_ITEM, **call),
        "function_call_output": record("call_id", "output", **_ITEM, call_id=text, output=short(MAX_OUTPUT)),
        "mcp_approval_response": record(
            "approval_request_id",
            "approve",
            **_ITEM,
            approval_request_id=text,
            approve=flag,
            reason=maybe(text),
        ),
    }


_GA_ITEMS = _items(
    _message({"output_text": _part("text", text=text), "output_audio": _SPOKEN}, _USER_PARTS | _IMAGE)
)
_FLAT_ITEMS = _items(_message({"text": _part("text", text=text), "audio": _SPOKEN}, _USER_PARTS))
_REFERENCE = {"item_reference": record("id", type=text, id=text)}

# Sessions and responses ----------------------------------------------------------------------------------

_FORMAT = tagged(
    {
        "audio/pcm": record(type=text, rate=integer(24000, 24000)),
        # The rate of the G.711 laws is no parameter here (it is one in GPT-Live): Unknown parameter.
        "audio/pcmu": record(type=text),
        "audio/pcma": record(type=text),
    }
)
_VOICE = either(word(*VOICES), record("id", id=text))
_NOISE = maybe(record(type=word("near_field", "far_field"), strength=number(0, 1)))
_TRANSCRIPTION = maybe(
    record(
        model=text,
        language=text,
        languages=every(text),
        prompt=text,
        keywords=every(text),
        delay=word("minimal", "low", "medium", "high", "xhigh"),
    )
)
_REASONING = maybe(record(effort=word("minimal", "low", "medium", "high", "xhigh")))
_PROMPT = maybe(record("id", id=text, version=maybe(text), variables=anything))
_RETENTION = record(
    "type",
    "retention_ratio",
    type=text,
    retention_ratio=number(0, 1),
    token_limits=record(post_instructions=integer(0)),
)
_GA_MODALITIES = _modalities(("text",), ("audio",))

GA_SESSION = record(
    "type",
    type=word("realtime", "transcription"),
    model=text,
    output_modalities=_GA_MODALITIES,
    instructions=text,
    audio=record(
        input=record(
            format=_FORMAT,
            noise_reduction=_NOISE,
            transcription=_TRANSCRIPTION,
            turn_detection=_TURN_DETECTION,
        ),
        output=record(format=_FORMAT, voice=_VOICE, speed=number(0.25, 1.5)),
    ),
    tools=_TOOLS,
    tool_choice=_TOOL_CHOICE,
    parallel_tool_calls=flag,
    max_output_tokens=_LENGTH,
    reasoning=_REASONING,
    tracing=maybe(_TRACING),
    truncation=either(word("auto", "disabled"), tagged({"retention_ratio": _RETENTION})),
    include=maybe(every(word("item.input_audio_transcription.logprobs"))),
    prompt=_PROMPT,
)
_GA_RESPONSE = record(
    conversation=word("auto", "none"),
    input=every(tagged(_GA_ITEMS | _REFERENCE)),
    instructions=text,
    output_modalities=_GA_MODALITIES,
    audio=record(output=record(format=_FORMAT, voice=_VOICE)),
    tools=_TOOLS,
    tool_choice=_TOOL_CHOICE,
    parallel_tool_calls=flag,
    max_output_tokens=_LENGTH,
    reasoning=_REASONING,
    metadata=maybe(_metadata),
    prompt=_PROMPT,
)
_FLAT_FORMAT = word("pcm16", "g711_ulaw", "g711_alaw")
_FLAT_MODALITIES = _modalities(("text",), ("audio", "text"))
_FLAT_COMMON: dict[str, Check] = {
    "modalities": _FLAT_MODALITIES,
    "instructions": text,
    "voice": text,
    "output_audio_format": _FLAT_FORMAT,
    "tools": _TOOLS,
    "tool_choice": _TOOL_CHOICE,
    "temperature": number(0.6, 1.2),
    "max_response_output_tokens": _LENGTH,
}
FLAT_SESSION = record(
    **_FLAT_COMMON,
    model=text,
    input_audio_format=_FLAT_FORMAT,
    input_audio_transcription=maybe(record(model=text, language=text, prompt=text)),
    input_audio_noise_reduction=maybe(record(type=word("near_field", "far_field"))),
    turn_detection=_TURN_DETECTION,
    speed=number(0.25, 1.5),
    tracing=maybe(_TRACING),
    prompt_cache_key=text,
)
_FLAT_RESPONSE = record(
    **_FLAT_COMMON,
    conversation=word("auto", "none"),
    input=every(tagged(_FLAT_ITEMS | _REFERENCE)),
    metadata=maybe(_metadata),
)


def _event(*required: str, **fields: Check) -> Check:
    return record(*required, type=text, event_id=maybe(text), **fields)


def _events(session: Check, response: Check, items: dict[str, Check]) -> dict[str, Check]:
    append = _event("audio", audio=text)
    return {
        "session.update": _event("session", session=session),
        "session.close": _event(),
        "input_audio_buffer.append": append,
        "session.input_audio_buffer.append": append,
        "input_audio_buffer.commit": _event(),
        "input_audio_buffer.clear": _event(),
        "conversation.item.create": _event("item", item=tagged(items), previous_item_id=maybe(text)),
        "conversation.item.truncate": _event(
            "item_id",
            "content_index",
            "audio_end_ms",
            item_id=text,
            content_index=integer(0),
            audio_end_ms=integer(0),
        ),
        "conversation.item.delete": _event("item_id", item_id=text),
        "conversation.item.retrieve": _event("item_id", item_id=text),
        "response.create": _event(response=maybe(response)),
        "response.cancel": _event(response_id=maybe(text)),
    }


EVENTS = {
    Dialect.XAI: _events(xai_session(_TOOLS), XAI_RESPONSE, _GA_ITEMS),
    Dialect.GA: _events(GA_SESSION, _GA_RESPONSE, _GA_ITEMS),
    Dialect.FLAT: _events(FLAT_SESSION, _FLAT_RESPONSE, _FLAT_ITEMS),
}
"""Accepted client events; the order is the one of the vendor's own listing."""


def check_event(event: Any, dialect: Dialect) -> None:
    """Take a parsed client event or raise ``Refused``."""
    if not isinstance(event, dict):
        raise Refused("invalid_event", "The event must be a JSON object.")
    kind = event.get("type")
    if kind is None:
        raise Refused("invalid_event", "The 'type' field is missing.")
    text(kind, "type")
    events = EVENTS[dialect]
    if kind not in events:
        raise unsupported(kind, tuple(events), "type")
    events[kind](event, "")
