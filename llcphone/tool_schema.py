"""A function's signature as a JSON schema, and a model's JSON as the function's arguments.

``msgspec`` makes both from the same type hints, so the schema and the check cannot disagree: plain
values, Literals, enums, optionals, lists, dicts, tuples, dates, UUIDs, decimals, attrs classes and
dataclasses (their validators run). Descriptions come from docstrings, those of nested classes too.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any

import attrs
import docstring_parser
import msgspec

from llcphone.errors import ConfigError

ToolFunction = Callable[..., Awaitable[Any]]

_DATA = ("default", "enum", "const")
"""Keys of a schema whose values are no schemas."""

_WRITTEN = {"datetime": "2026-11-30T14:30:00", "time": "14:30:00"}
"""Types of the datetime module that msgspec leaves without a ``format``: how they are written."""


@attrs.frozen
class Signature:
    """What a tool's function takes."""

    schema: dict[str, Any]
    """The ``parameters`` of the tool's schema: one object, without ``$ref``."""
    struct: type[msgspec.Struct]
    given: dict[str, type]
    """Parameters that are no part of the schema, by name: they are given by the call."""
    description: str
    """From the docstring."""

    def read(self, arguments: str) -> dict[str, Any]:
        """The model's JSON as typed values.

        Raises:
            ValueError: it does not fit; the text says where and why, and is meant for the model.
        """
        try:
            values = msgspec.json.decode(arguments or "{}", type=self.struct, strict=False)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as exc:  # also a ValidationError
            raise ValueError(str(exc)) from None
        return {name: getattr(values, name) for name in values.__struct_fields__}


def read_signature(function: ToolFunction, name: str, given: Collection[type]) -> Signature:
    """Read a function's signature and docstring.

    Args:
        function: the tool.
        name: its name as the model sees it.
        given: types of parameters that the call supplies.

    Raises:
        ConfigError: it is not async, or a parameter has no type a schema can be made of.
    """
    key = f"tool {name}"
    if not inspect.iscoroutinefunction(function):
        raise ConfigError(key, "must be an async function, so that it cannot block the calls")
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    told = {param.arg_name: param.description or "" for param in doc.params}
    hints = _hints(function, key)
    fields: list[Any] = []
    supplied: dict[str, type] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigError(
                key, f"parameter {parameter.name!r}: give it a plain name; the model passes names"
            )
        hint = hints.get(parameter.name)
        if hint is None:
            raise ConfigError(key, f"parameter {parameter.name!r} needs a type hint")
        if hint in given:
            supplied[parameter.name] = hint
            continue
        _check(hint, key, parameter.name)
        if words := _words(hint, told.get(parameter.name, "")):
            hint = Annotated[hint, msgspec.Meta(description=words)]
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((parameter.name, hint, *default))
    try:
        struct = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
        schema = _inline(struct)
        msgspec.json.Decoder(struct)  # what cannot be decoded is told now, not to a caller
    except (TypeError, ValueError) as exc:
        raise ConfigError(key, f"no JSON schema for its signature: {exc}") from None
    text = " ".join(part.strip() for part in (doc.short_description, doc.long_description) if part)
    return Signature(schema, struct, supplied, text)


def _hints(function: ToolFunction, key: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as exc:
        why = f"the type {exc.name!r} of a parameter cannot be found: define or import it at the module's top"
        raise ConfigError(key, why) from None
    except TypeError as exc:
        raise ConfigError(key, f"a type hint cannot be read: {exc}") from None


def _check(hint: Any, key: str, parameter: str) -> None:
    """Name the parameter whose type is the trouble."""
    try:
        _inline(hint)
        msgspec.json.Decoder(hint)
    except (TypeError, ValueError) as exc:
        trouble = f"no JSON schema for its type ({str(exc).splitlines()[-1]})"
        advice = "use plain values, Literal, Enum, list, dict, tuple, dates, attrs classes or dataclasses"
        raise ConfigError(key, f"parameter {parameter!r}: {trouble}; {advice}") from None


def _words(hint: Any, told: str) -> str:
    """A parameter's description; with how it is written, where the schema cannot say so."""
    kinds = {each.__name__ for each in (hint, *typing.get_args(hint)) if _module(each) == "datetime"}
    written = [f"ISO 8601: {_WRITTEN[kind]}" for kind in sorted(kinds & _WRITTEN.keys())]
    return " ".join([told, *(f"({each})" for each in written)]).strip()


def _module(hint: Any) -> str:
    return hint.__module__ if isinstance(hint, type) else ""


def _inline(hint: Any) -> dict[str, Any]:
    """The type's schema as one object: the Realtime API is not known to follow ``$ref``."""
    (top,), components = msgspec.json.schema_components([hint], ref_template="{name}")

    def resolve(node: Any, inside: tuple[str, ...] = ()) -> Any:
        if isinstance(node, list):
            return [resolve(value, inside) for value in node]
        if not isinstance(node, dict):
            return node
        if (name := node.get("$ref")) is not None:
            if name in inside:
                raise TypeError(f"{name} contains itself")
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return {**resolve(_described(components[name]), (*inside, name)), **rest}
        return {
            key: value if key in _DATA else resolve(value, inside)
            for key, value in node.items()
            if not (key == "title" and isinstance(value, str))
        }

    schema: dict[str, Any] = resolve(top)
    return schema


def _described(component: dict[str, Any]) -> dict[str, Any]:
    """A class's schema, its docstring's ``Attributes`` as descriptions of its properties."""
    properties = component.get("properties")
    if not isinstance(properties, dict) or "description" not in component:
        return component
    doc = docstring_parser.parse(component["description"])
    told = {param.arg_name: param.description for param in doc.params if param.description}
    described = {
        name: {"description": told[name], **schema} if name in told else schema
        for name, schema in properties.items()
    }
    text = re.sub(r"\s+", " ", doc.short_description or "")
    return {**component, "description": text, "properties": described}
