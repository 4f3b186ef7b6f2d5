"""Events, commands and the setup of a call as plain JSON data, and back: what a tape is made of.

A tape may be given to others, so it holds nothing personal. But a second engine must decide from it what
the first one decided. So what is personal is replaced by something of the same shape:

    words    each character but white space becomes ``x``: the engine cuts words at spaces and by their
             length, and reads nothing else in them (spoken words, tool arguments and answers, prompts,
             keys)
    audio    only its number of bytes is kept; it comes back as silence of that length
    names    of calls, streams and accounts become numbered names, the same one for the same name, because
             the engine compares them
    session  every text is masked but the vendor's own words (formats, types, voices, names of tools)

The tables below say which field is which. A field that is in none cannot be taped: its author must first
say whether it may hold what somebody said. Putting a thing on tape twice gives the same data, and
``tape(engine(events)) == tape(engine(taped events))`` is what replay checks.
"""

from __future__ import annotations

import binascii
import functools
import operator
import re
import types
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from llcphone.audio import SILENCE, payload_bytes
from llcphone.engine.call_setup import RetellingTexts
from llcphone.engine.events import EndReason
from llcphone.engine.resumed import Resumed
from llcphone.engine.words import masked
from llcphone.errors import LocalProtocolError, RemoteProtocolError
from llcphone.prices import Rates
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.error_codes import NAMED_WAIT
from llcphone.realtime.events import ModelEvent
from llcphone.realtime.messages import ModelMessage
from llcphone.realtime.unsupported import TELLING
from llcphone.twilio.media import PhoneMessage

Aliases = dict[str, str]
"""One call's sids, each with its name on tape."""

Data = list[Any]
"""A thing on tape: ``[class name, {field: data}]``."""

# -- which field is what ------------------------------------------------------------------------

_KEPT = (
    {"id", "item_id", "previous_item_id", "response_id", "call_id", "event_id"}  # OpenAI's and our ids
    | {"delegation_id"}
    | {"name", "by", "tools", "silent_tools", "purpose", "kind"}  # of tools, marks, hooks; our own words
    | {"unsupported"}  # the wire's names
    | {"type", "status", "role", "reason", "code", "error_code", "param", "answered_by"}  # vendors' words
    | {"encoding", "voice", "input_audio_format", "output_audio_format"}
)
_WORDS = {"text", "words", "arguments", "argument", "output", "digit", "news"}
_WORDS |= {"greeting_cue", "message_cue", "goodbye_cue", "prompt_cue", "cue"}
_WORDS |= {each.name for each in attrs.fields(RetellingTexts)}
_SIDS = {"call_sid", "stream_sid", "account_sid", "session_id"}

_KEPT_SETTINGS = (
    {"modalities", "voice", "input_audio_format", "output_audio_format", "type", "eagerness", "model"}
    | {"name", "required", "tool_choice"}  # of tools and of their arguments
)
"""Keys of a session whose texts are no prompt; deeper down they are those of tools' JSON schemas."""

_TELLING = re.compile(
    r"already shorter than|Only model output audio messages can be truncated|'session\.[\w.\[\]]+'|"
    + NAMED_WAIT
    + f"|{TELLING}"
)
"""The parts of an error's text that the engine decides on."""

_NAMES = {each.__name__: each for each in (Mapping, Dialect, EndReason, Rates, Resumed)} | {
    "Any": Any,
    "ModelEvent": ModelEvent,
    "ModelMessage": ModelMessage,
    "PhoneMessage": PhoneMessage,
}
"""What the classes' annotations name without importing it when they run."""


# -- masks --------------------------------------------------------------------------------------


def _masked_error(message: str) -> str:
    kept = [match.group() for match in _TELLING.finditer(message)]
    between = [masked(text) for text in _TELLING.split(message)]
    return "".join(part for pair in zip(between, [*kept, ""], strict=True) for part in pair)


def _alias(sid: str, aliases: Aliases) -> str:
    if not sid or re.fullmatch(r"x+[0-9]{1,3}", sid):  # from a tape already
        return sid
    number = str(len(aliases) + 1)
    return aliases.setdefault(sid, "x" + number.rjust(len(sid) - 1, "x"))


def _masked_settings(value: Any, key: str = "") -> Any:
    match value:
        case Mapping():
            return {name: _masked_settings(each, name) for name, each in value.items()}
        case list() | tuple():
            return [_masked_settings(each, key) for each in value]
        case str():
            return value if key in _KEPT_SETTINGS else masked(value)
        case _:
            return value


def audio_of(size: int) -> bytes:
    """What audio of this many bytes comes back as."""
    return binascii.b2a_base64(bytes((SILENCE,)) * size, newline=False)


# -- ways: how a field is written to tape and read ----------------------------------------------


@attrs.frozen
class _Way:
    put: Callable[[Any, Aliases], Any]
    take: Callable[[Any], Any] = lambda data: data


_AS_IT_IS = _Way(lambda value, aliases: value)
_AUDIO = _Way(lambda payload, aliases: payload_bytes(payload), audio_of)
_MASKED = _Way(lambda text, aliases: masked(text))
_SETTINGS = _Way(lambda table, aliases: _masked_settings(table))

_TABLES = {
    "session": _SETTINGS,
    "limits": _Way(
        lambda table, aliases: {name: list(each) for name, each in table.items()},
        lambda data: {name: tuple(each) for name, each in data.items()},
    ),
    "custom": _Way(lambda table, aliases: {name: masked(text) for name, text in table.items()}),
    "SessionUpdated.session": _Way(lambda table, aliases: {}),  # the server's raw echo: decides nothing
}
"""Mappings, by field or by class and field."""


def _way(hint: Any, owner: type, name: str) -> _Way:
    """How a field of this type is written to tape."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is str:
        return _text_way(owner, name)
    if hint is bytes:
        return _AUDIO
    if hint in (int, float, bool):
        return _AS_IT_IS
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _Way(lambda value, aliases: value.value, hint)
    if isinstance(hint, type) and attrs.has(hint):
        return _Way(_put_fields, functools.partial(_take_fields, hint))
    if origin is Mapping and (table := _TABLES.get(f"{owner.__name__}.{name}", _TABLES.get(name))):
        return table
    if origin in (tuple, frozenset):
        return _many(_way(args[0], owner, name), origin)
    if origin in (Union, types.UnionType) and types.NoneType in args:
        rest = functools.reduce(operator.or_, (each for each in args if each is not types.NoneType))
        return _optional(_way(rest, owner, name))
    if origin in (Union, types.UnionType) and all(map(attrs.has, args)):
        return _Way(as_data, functools.partial(_one_of, hint))
    raise _cannot(owner, name)


def _text_way(owner: type, name: str) -> _Way:
    if name in _KEPT:
        return _AS_IT_IS
    if name in _WORDS:
        return _MASKED
    if name in _SIDS:
        return _Way(_alias)
    if name in ("message", "error_message"):
        return _Way(lambda text, aliases: _masked_error(text))
    raise _cannot(owner, name)


def _cannot(owner: type, name: str) -> LocalProtocolError:
    return LocalProtocolError(f"tape: say in engine/tape.py how {owner.__name__}.{name} is put on tape")


def _optional(way: _Way) -> _Way:
    return _Way(
        lambda value, aliases: None if value is None else way.put(value, aliases),
        lambda data: None if data is None else way.take(data),
    )


def _many(way: _Way, kind: Callable[[list[Any]], Any]) -> _Way:
    def put(values: Any, aliases: Aliases) -> list[Any]:
        data = [way.put(value, aliases) for value in values]
        return sorted(data) if kind is frozenset else data

    return _Way(put, lambda data: kind([way.take(each) for each in data]))


@functools.cache
def _fields(cls: Any) -> dict[str, _Way]:
    hints = get_type_hints(cls, localns=_NAMES)
    return {field.name: _way(hints[field.name], cls, field.name) for field in attrs.fields(cls)}


def _put_fields(thing: Any, aliases: Aliases) -> dict[str, Any]:
    return {name: way.put(getattr(thing, name), aliases) for name, way in _fields(thing.__class__).items()}


def _take_fields(cls: type, data: Any) -> Any:
    ways = _fields(cls)
    return cls(**{name: ways[name].take(each) for name, each in data.items()})


def _one_of(union: Any, data: Any) -> Any:
    kind, fields = data
    return _take_fields(_classes(union)[kind], fields)


@functools.cache
def _classes(union: Any) -> dict[str, type]:
    return {cls.__name__: cls for cls in get_args(union) or (union,)}


# -- whole things -------------------------------------------------------------------------------


def as_data(thing: object, aliases: Aliases) -> Data:
    """An event, a command or a setup as plain data, with nothing personal in it.

    Args:
        thing: what is written to tape.
        aliases: names for this call's sids; new ones are added.

    Raises:
        LocalProtocolError: it has a field of which this file does not know what it may hold.
    """
    return [type(thing).__name__, _put_fields(thing, aliases)]


def read(union: Any, data: Data) -> Any:
    """The thing of its data; ``union`` is its class, or all that it may be of.

    Raises:
        RemoteProtocolError: it is nothing that this version knows.
    """
    try:
        return _one_of(union, data)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RemoteProtocolError("tape: something that this version does not know") from None
