"""A function's signature as a JSON schema, and a model's JSON as the function's arguments.

``msgspec`` makes both from the same type hints, so the schema and the check cannot disagree: plain
values, Literals, enums, optionals, lists, dicts, tuples, dates, UUIDs, decimals, attrs classes and
dataclasses (their validators run). Descriptions come from docstrings, those of nested classes too, and from
annotations (`parameters`). `lenient` reads what a model means although it writes it otherwise.

The vendor takes a smaller JSON schema than msgspec writes: no ``$ref`` that it is known to follow, no
``prefixItems``, and no array that does not say of what, so the schema is put into its words here.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Awaitable, Callable, Collection
from functools import lru_cache
from typing import Annotated, Any

import attrs
import docstring_parser
import msgspec

from llcphone.errors import ConfigError
from llcphone.tools.lenient import as_meant, classes_in
from llcphone.tools.parameters import (
    field_words,
    in_our_notation,
    is_async,
    parameters_of,
    with_default,
    words_of,
)

ToolFunction = Callable[..., Awaitable[Any]]

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
        text = "{}" if arguments.strip() in ("", "null") else arguments
        try:
            values = self._decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as exc:  # also a ValidationError
            raise ValueError(str(exc)) from None
        return {name: getattr(values, name) for name in values.__struct_fields__}

    def _decode(self, text: str) -> msgspec.Struct:
        try:
            return msgspec.json.decode(text, type=self.struct, strict=False)
        except msgspec.ValidationError:
            if (meant := as_meant(text, self.struct)) is None:
                raise
        return msgspec.json.decode(meant, type=self.struct, strict=False)


def read_signature(function: ToolFunction, name: str, given: Collection[type]) -> Signature:
    """Read a function's signature and docstring.

    Parameters of the types in ``given`` are supplied by the call.

    Raises:
        ConfigError: it is not async, or a parameter has no type a schema can be made of.
    """
    key = f"tool {name}"
    if not is_async(function):
        raise ConfigError(key, "is not async, so it could block the calls", "write it with async def")
    doc = _parsed(words_of(function))
    told = {param.arg_name: param.description or "" for param in doc.params}
    fields: list[Any] = []
    supplied: dict[str, type] = {}
    hints: dict[str, Any] = {}
    for parameter in map(with_default, parameters_of(function, key)):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigError(
                key,
                f"parameter {parameter.name!r}: the model passes parameters by name only",
                "give it a plain name, without * or /",
            )
        if parameter.annotation is parameter.empty:
            raise ConfigError(
                key,
                f"parameter {parameter.name!r} needs a type hint",
                f"write {parameter.name}: str, or its type",
            )
        if parameter.annotation in given:
            supplied[parameter.name] = parameter.annotation
            continue
        hint = hints[parameter.name] = _in_our_notation(parameter.annotation, key, parameter.name)
        if words := _words(hint, told.get(parameter.name, "")):
            hint = Annotated[hint, msgspec.Meta(description=words)]
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((parameter.name, hint, *default))
    try:
        struct = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
        schema = _usable(struct)
    except Exception as exc:  # defaults and annotations are the user's own objects
        for parameter_name, hint in hints.items():
            _check(hint, key, parameter_name)
        raise ConfigError(
            key, f"no JSON schema for its signature: {exc}", "simplify its types and defaults"
        ) from None
    text = " ".join(part.strip() for part in (doc.short_description, doc.long_description) if part)
    return Signature(schema, struct, supplied, text)


@lru_cache(maxsize=256)  # the agents of one business share most of their tools
def _parsed(docstring: str) -> docstring_parser.Docstring:
    return docstring_parser.parse(docstring)


def _usable(hint: Any) -> dict[str, Any]:
    """The type's schema; what cannot be decoded is reported now, not during a call."""
    schema = _inline(hint)
    msgspec.json.Decoder(hint)
    return schema


def _in_our_notation(hint: Any, key: str, parameter: str) -> Any:
    """The hint as msgspec reads it."""
    try:
        return in_our_notation(hint)
    except Exception as exc:  # as above
        raise _no_schema(exc, key, parameter) from None


def _check(hint: Any, key: str, parameter: str) -> None:
    """Name this parameter, if its type is the trouble."""
    try:
        _usable(hint)
    except Exception as exc:  # as above
        raise _no_schema(exc, key, parameter) from None


def _no_schema(exc: Exception, key: str, parameter: str) -> ConfigError:
    trouble = f"no JSON schema for its type ({(str(exc).splitlines() or [type(exc).__name__])[-1]})"
    advice = "use plain values, Literal, Enum, list, dict, tuple, dates, attrs classes or dataclasses"
    return ConfigError(key, f"parameter {parameter!r}: {trouble}", advice)


def _words(hint: Any, told: str) -> str:
    """A parameter's description; with how it is written, where the schema cannot say so."""
    kinds = {each.__name__ for each in (hint, *typing.get_args(hint)) if _module(each) == "datetime"}
    written = [f"ISO 8601: {_WRITTEN[kind]}" for kind in sorted(kinds & _WRITTEN.keys())]
    metas = [meta.description for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    annotated = [words for words in metas if words]
    first = (
        annotated[-1] if annotated else told
    )  # the parameter's own annotation takes precedence over the docstring
    return " ".join([first, *(f"({each})" for each in written)]).strip()


def _module(hint: Any) -> str:
    return hint.__module__ if isinstance(hint, type) else ""


def _inline(hint: Any) -> dict[str, Any]:
    """The type's schema as one object that the vendor takes."""
    classes = list(classes_in(msgspec.inspect.type_info(hint)))
    (top, *refs), components = msgspec.json.schema_components([hint, *classes], ref_template="{name}")
    for cls, ref in zip(classes, refs, strict=True):
        name = ref["$ref"]
        components[name] = _described(components[name], field_words(cls))
    return _Inliner(components).schema(top)


@attrs.frozen
class _Inliner:
    """Schemas with what they refer to in their place, by the keywords that the vendor knows."""

    components: dict[str, Any]

    def schema(self, node: Any, inside: tuple[str, ...] = ()) -> dict[str, Any]:
        if (name := node.get("$ref")) is not None:
            if name in inside:
                raise TypeError(f"{name} contains itself")
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return {**self.schema(self.components[name], (*inside, name)), **rest}
        made = {key: self._keyword(key, value, inside) for key, value in node.items() if key not in _NOT_TOLD}
        return _array(made) if made.get("type") == "array" else made

    def _keyword(self, key: str, value: Any, inside: tuple[str, ...]) -> Any:
        match key:
            case "properties":
                return {name: self.schema(each, inside) for name, each in value.items()}
            case "anyOf" | "prefixItems":
                return [self.schema(each, inside) for each in value]
            case "items" | "additionalProperties" if isinstance(value, dict):
                return self.schema(value, inside)
            case _:
                return value


_NOT_TOLD = ("title", "discriminator")
"""Class names stay private, and a discriminator refers to components."""


def _array(node: dict[str, Any]) -> dict[str, Any]:
    """An array whose ``items`` is an object: the vendor refuses ``array schema missing items``."""
    places = node.pop("prefixItems", None)
    if places is not None:
        kinds = [each for at, each in enumerate(places) if each not in places[:at]]
        node["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
        node.setdefault("maxItems", len(places))
    elif not isinstance(node.get("items"), dict):
        node["items"] = {}
    return node


def _described(component: dict[str, Any], annotated: dict[str, str]) -> dict[str, Any]:
    """A class's schema; its annotations and its docstring's ``Attributes`` describe its properties."""
    properties = component.get("properties")
    if not isinstance(properties, dict):
        return component
    doc = _parsed(component.get("description", ""))
    told = {param.arg_name: param.description for param in doc.params if param.description} | annotated
    described = {
        name: {"description": told[name], **schema} if told.get(name) else schema
        for name, schema in properties.items()
    }
    text = re.sub(r"\s+", " ", doc.short_description or "")
    words = {"description": text} if "description" in component else {}
    return {**component, **words, "properties": described}
