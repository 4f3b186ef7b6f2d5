"""Which client events the simulated GPT-Live takes, key by key.

Sources: the official package's types (openai 3.52.0), which let unknown keys pass, and recorded refusals: the
server refuses a whole event for one unknown key, at any depth. Decisions, custom storage of forks and the
fields of WebRTC sessions are taken as the types have them and do nothing.
"""

from __future__ import annotations

from typing import Any

from llcphone.sim.live.door import MODELS
from llcphone.sim.live.formats import RATES
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
    missing,
    record,
    tagged,
    text,
    unsupported,
    word,
)
from llcphone.sim.model.usage import text_tokens

_VOICES = """
alloy ash ballad beacon bossa cedar cinder coral delta echo gleam
marin meridian quartz ripple sage shida shimmer stone tempo verse vesper willow
"""
VOICES = tuple(_VOICES.split())
FORBIDDEN_VOICES = ("fable", "nova", "onyx")
MAX_INSTRUCTIONS = 16_384
"""Tokens of the voice's prompt."""
MAX_APPEND = 500
"""Tokens of one append."""
MAX_HISTORY, MAX_HISTORY_TOKENS = 128, 8_192
"""Messages and tokens of ``session.input``."""


def _voice(value: Any, where: str) -> None:
    either(text, record("id", id=text))(value, where)
    if value in FORBIDDEN_VOICES:
        raise Refused("forbidden", f"Voice '{value}' is not available.", where)
    if isinstance(value, str) and value not in VOICES:
        raise unsupported(value, VOICES, where)


def _format(value: Any, where: str) -> None:
    record("type", "rate", type=word(*RATES), rate=integer(1))(value, where)
    rates = RATES[value["type"]]
    if value["rate"] not in rates:
        raise unsupported(value["rate"], tuple(map(str, rates)), f"{where}.rate")


def _instructions(value: Any, where: str) -> None:
    text(value, where)
    if text_tokens(value) > MAX_INSTRUCTIONS:
        complaint = f"Instructions must not exceed {MAX_INSTRUCTIONS} tokens"
        raise Refused("invalid_value", complaint, where)


def _model(value: Any, where: str) -> None:
    text(value, where)
    if not value.startswith(MODELS):
        raise Refused("invalid_model", f"The model '{value}' is not a Live model.", where)


# ---- delegation ----------------------------------------------------------------------------------------

_TOOL_NAME = matching(r"^[a-zA-Z0-9_-]+$", 64)
_FUNCTION = record(
    "type",
    "name",
    type=text,
    name=_TOOL_NAME,
    description=maybe(text),
    parameters=maybe(anything),
    strict=maybe(flag),
)
_HOSTED = ["web_search", "file_search", "code_interpreter", "shell", "image_generation", "mcp", "custom"]


def _hosted(value: Any, where: str) -> None:
    """A tool that OpenAI runs: its own fields are not looked at."""


_TOOLS = every(tagged({"function": _FUNCTION, **dict.fromkeys(_HOSTED, _hosted)}))
_FUNCTION_CHOICE = record("type", "name", type=text, name=_TOOL_NAME)
_TOOL_CHOICE = either(
    word("none", "auto", "required"),
    tagged({"function": _FUNCTION_CHOICE, **dict.fromkeys(_HOSTED, _hosted), "allowed_tools": _hosted}),
)
_BACKEND: dict[str, Check] = {
    "model": text,
    "instructions": maybe(text),
    "tools": maybe(_TOOLS),
    "tool_choice": maybe(_TOOL_CHOICE),
    "parallel_tool_calls": maybe(flag),
    "reasoning": maybe(
        record(
            effort=maybe(word("none", "minimal", "low", "medium", "high", "xhigh")),
            summary=maybe(word("concise", "detailed", "auto")),
        )
    ),
    "text": maybe(record(verbosity=maybe(word("low", "medium", "high")))),
    "service_tier": maybe(word("auto", "default", "fast_tier_temp_pilot", "flex", "priority", "ultrafast")),
    "max_output_tokens": maybe(integer(16)),
}


def _delegation(*needs: str, backend: Check) -> Check:
    wait = {"type": text, "acknowledgement_delay_ms": maybe(integer(0))}
    return maybe(
        tagged(
            {
                "client": record(**wait),
                "responses": record(*needs, **wait, responses=backend),
                "decisions": record(**wait, decisions=anything),
            }
        )
    )


_DELEGATION = _delegation("responses", backend=record("model", **_BACKEND))
_DELEGATION_UPDATE = _delegation(backend=maybe(record(**_BACKEND)))

# ---- history -------------------------------------------------------------------------------------------

_GIVEN = {"type": word("message"), "id": maybe(text), "status": maybe(word("incomplete", "completed"))}


def _one(part: Check) -> Check:
    """A list of exactly one."""

    def check(value: Any, where: str) -> None:
        every(part)(value, where)
        if len(value) != 1:
            raise Refused("invalid_value", f"Invalid '{where}': expected one text part.", where)

    return check


def _said(*kinds: str) -> Check:
    return _one(record("text", type=word(*kinds), text=text))


def _message(part: Check) -> Check:
    return record("role", "content", **_GIVEN, role=text, content=part)


_ITEM = tagged(
    {
        "developer": _message(_said("input_text")),
        "user": _message(_said("input_text")),
        "assistant": _message(_said("text", "output_text")),
    },
    key="role",
)


def _history(value: Any, where: str) -> None:
    every(_ITEM)(value, where)
    if len(value) > MAX_HISTORY:
        raise Refused("invalid_value", f"'{where}' takes at most {MAX_HISTORY} messages.", where)
    if sum(text_tokens(each["content"][0]["text"]) for each in value) > MAX_HISTORY_TOKENS:
        raise Refused("invalid_value", f"'{where}' must not exceed {MAX_HISTORY_TOKENS} tokens.", where)


# ---- events --------------------------------------------------------------------------------------------

_START = record(
    "model",
    model=_model,
    instructions=maybe(_instructions),
    audio=maybe(record(format=maybe(_format), output=maybe(record(voice=maybe(_voice))))),
    delegation=_DELEGATION,
    input=maybe(_history),
    store=maybe(flag),
    safety_identifier=maybe(text),
    triggers=maybe(every(anything)),
    client=maybe(anything),
)
_IMMUTABLE = ("model", "instructions", "audio", "input", "store", "safety_identifier", "client")
_UPDATE = record(delegation=_DELEGATION_UPDATE, triggers=maybe(every(anything)))


def _update(value: Any, where: str) -> None:
    """Fields that stand since the start have a refusal of their own."""
    if isinstance(value, dict):
        for key in value:
            if key in _IMMUTABLE:
                complaint = f"'{where}.{key}' cannot be changed after the session has started."
                raise Refused("immutable_field_update", complaint, f"{where}.{key}")
    _UPDATE(value, where)


def _content(value: Any, where: str) -> None:
    text(value, where)
    if text_tokens(value) > MAX_APPEND:
        raise Refused("invalid_value", f"Context append text must not exceed {MAX_APPEND} tokens.", where)


_OUTPUT = record(
    "type",
    "call_id",
    "output",
    type=text,
    id=maybe(text),
    call_id=text,
    output=text,
    status=maybe(word("in_progress", "completed", "incomplete")),
)
_TYPED = record(
    "role",
    "content",
    **_GIVEN,
    role=word("user"),
    content=either(text, every(record("type", "text", type=word("input_text"), text=text))),
)


def _backend_item(value: Any, where: str) -> None:
    """The answer to a call, or a message of the user; a message need not name its type."""
    if isinstance(value, dict) and "type" not in value and "role" in value:
        _TYPED(value, where)
        return
    tagged({"function_call_output": _OUTPUT, "message": _TYPED})(value, where)


def _event(*required: str, **fields: Check) -> Check:
    return record(*required, type=text, event_id=maybe(text), **fields)


_APPEND = _event("content", "delegation_id", content=_content, delegation_id=maybe(text))
_BARE = _event()

EVENTS: dict[str, Check] = {
    "session.start": _event("session", session=_START),
    "session.update": _event("session", session=_update),
    "session.input_audio.append": _event("audio", audio=text),
    "session.input_audio.mute": _BARE,
    "session.input_audio.unmute": _BARE,
    "session.output_audio.fixture.play": _event("audio", audio=text),
    "session.instructions.append": _APPEND,
    "session.thinking.append": _APPEND,
    "session.commentary.append": _APPEND,
    "response.item.create": _event("item", item=_backend_item),
    "response.create": _BARE,
    "session.close": _BARE,
}
"""Accepted client events. Those of the Decisions API are refused like unknown ones."""


def check_event(event: Any) -> None:
    """Take a parsed client event or raise ``Refused``."""
    if not isinstance(event, dict):
        raise Refused("invalid_event", "The event must be a JSON object.")
    if "type" not in event:
        raise missing("type")
    kind = event["type"]
    text(kind, "type")
    if kind not in EVENTS:
        raise unsupported(kind, tuple(EVENTS), "type")
    EVENTS[kind](event, "")
