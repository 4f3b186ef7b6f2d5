"""Typed functions as the model's tools: schema out, checked arguments in.

A tool is an async function whose signature is its contract. ``msgspec`` makes the JSON schema from
the type hints (attrs classes, enums, Literals, optionals, dates included) and converts the model's
arguments back, so schema and check cannot disagree. A parameter annotated ``CallHandle`` is filled
with the call and is no part of the schema.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Protocol

import attrs
import docstring_parser
import msgspec

from llcphone.errors import ConfigError


class CallHandle(Protocol):
    """What a tool or hook may know of its call, and do to it."""

    call_id: str
    """Our own id, safe to log."""
    call_sid: str
    """Twilio's id."""
    caller: str
    """The number that rang, as Twilio gave it; may be ``anonymous``."""
    dialled: str
    """The number that was rung."""
    state: dict[str, Any]
    """The user's own scratch space, one per call."""

    def hang_up(self) -> None:
        """End the call once the agent's last word was heard."""


ToolFunction = Callable[..., Awaitable[Any]]


@attrs.frozen
class Tool:
    """A function the model may call."""

    name: str
    function: ToolFunction
    schema: Mapping[str, Any] = attrs.field(eq=False, repr=False)
    """As the Realtime API takes it: ``type``, ``name``, ``description``, ``parameters``."""
    arguments: type[msgspec.Struct] = attrs.field(eq=False, repr=False)
    call_parameter: str | None = None
    lean: bool = False
    """Already offered in the first turn."""
    silent: bool = False
    """Its answer asks for no response."""
    detached: bool = False
    """Goes on after hang-up, under its own limit; drain waits for it."""
    timeout_s: float | None = None
    """None: the configuration's ``call.tool_timeout_s``."""

    def bind(self, arguments: str, call: CallHandle) -> dict[str, Any]:
        """The model's JSON arguments as keyword arguments.

        Raises:
            ValueError: they do not fit; the text says what is wrong and is meant for the model.
        """
        try:
            values = msgspec.json.decode(arguments or "{}", type=self.arguments, strict=False)
        except (msgspec.DecodeError, RecursionError) as exc:  # a ValidationError is a DecodeError
            raise ValueError(str(exc)) from None
        bound = {name: getattr(values, name) for name in values.__struct_fields__}
        if self.call_parameter is not None:
            bound[self.call_parameter] = call
        return bound


def make_tool(
    function: ToolFunction,
    *,
    name: str | None = None,
    description: str | None = None,
    lean: bool = False,
    silent: bool = False,
    detached: bool = False,
    timeout_s: float | None = None,
) -> Tool:
    """Read a function's signature and docstring.

    Raises:
        ConfigError: it is not async, or a parameter has no type a schema can be made of.
    """
    tool_name = name or function.__name__
    key = f"tool {tool_name}"
    if not inspect.iscoroutinefunction(function):
        raise ConfigError(key, "must be an async function, so that it cannot block the calls")
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    told = {param.arg_name: param.description or "" for param in doc.params}
    hints = typing.get_type_hints(function, include_extras=True)
    fields: list[Any] = []
    call_parameter = None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigError(
                key, f"parameter {parameter.name!r}: give it a plain name; the model passes names"
            )
        hint = hints.get(parameter.name)
        if hint is CallHandle:
            call_parameter = parameter.name
            continue
        if hint is None:
            raise ConfigError(key, f"parameter {parameter.name!r} needs a type hint")
        if words := told.get(parameter.name):
            hint = Annotated[hint, msgspec.Meta(description=words)]
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((parameter.name, hint, *default))
    try:
        struct = msgspec.defstruct(tool_name, fields, kw_only=True, forbid_unknown_fields=True)
        parameters = _inline(struct)
    except (TypeError, ValueError) as exc:
        raise ConfigError(key, f"no JSON schema for its signature: {exc}") from None
    text = description or " ".join(
        part.strip() for part in (doc.short_description, doc.long_description) if part
    )
    schema = {"type": "function", "name": tool_name, "description": text, "parameters": parameters}
    return Tool(tool_name, function, schema, struct, call_parameter, lean, silent, detached, timeout_s)


def _inline(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The struct's schema as one object: the Realtime API is not known to follow ``$ref``."""
    (top,), components = msgspec.json.schema_components([struct], ref_template="{name}")

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                rest = {key: value for key, value in node.items() if key != "$ref"}
                return {**resolve(components[node["$ref"]]), **rest}
            return {
                key: resolve(value)
                for key, value in node.items()
                if not (key == "title" and isinstance(value, str))
            }
        return [resolve(value) for value in node] if isinstance(node, list) else node

    schema: dict[str, Any] = resolve(top)
    return schema
