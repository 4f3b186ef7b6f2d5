"""Typed functions as the model's tools.

A tool is an async function whose signature is its contract; `schema` makes the schema of it
and converts the model's arguments back. A parameter annotated ``CallHandle`` is filled with the
call, one annotated ``ToolContext`` with what is known of this very tool call; neither is part of
the schema. The rest of this file is the options of a tool: time limit, retries, approval.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import attrs

from llcphone.config.fields import TOOL_NAME
from llcphone.errors import ConfigError
from llcphone.tools.call_handle import CallHandle, ToolContext
from llcphone.tools.parameters import is_async, name_of
from llcphone.tools.schema import Signature, ToolFunction, read_signature

if TYPE_CHECKING:
    from llcphone.config.tools import ToolsConfig


Approval = bool | str
"""True: it may run. False, or the reason as text: it may not."""
ApprovalHook = Callable[[CallHandle, str, dict[str, Any]], Awaitable[Approval]]
"""Asked with the call, the tool's name and its typed arguments."""
OPERATOR: Literal["operator"] = "operator"
"""In place of a hook: ``call.approvals`` is where a person gives the answer."""


@attrs.frozen
class ToolTimes:
    """How long one tool may take, in seconds."""

    timeout_s: float
    """Counts from its approval; then the model receives that it is late."""
    limit_s: float
    """From its approval; then it is cancelled. Never less than ``timeout_s``."""
    approve_s: float
    """Longest wait for its approval; 0 for a tool that needs none."""

    @property
    def patience_s(self) -> float:
        """How long the model waits for its answer at most."""
        return self.approve_s + self.timeout_s

    @property
    def goes_on(self) -> bool:
        """It may still work when the model waits no longer."""
        return self.limit_s > self.timeout_s


class ToolOptions(TypedDict, total=False):
    """What ``@agent.tool(...)`` may say of a function; everything may be left out."""

    name: str | None
    """The name that the model sees. Default: the function's own."""
    description: str | None
    """What the model reads about the tool. Default: the function's docstring."""
    lean: bool
    """Offer it in the first turn already. Default False; if no tool is lean, all are offered."""
    silent: bool
    """Its answer asks for no response. Default False."""
    detached: bool
    """It continues after hang-up, up to its own limit, and a drain waits for it. Default False."""
    timeout_s: float | None
    """How long the model waits for it. Default: ``tools.timeout_s``."""
    target_s: float | None
    """How long it should take. If it takes longer, llcphone logs a warning. Default: no target."""
    limit_s: float | None
    """How long it may run. Default: ``timeout_s``, or ``tools.limit_s`` if detached or ``late="deliver"``."""
    late: Literal["drop", "deliver"]
    """What happens to a result after ``timeout_s``: it is dropped (default), or sent to the model later."""
    retry: int
    """How often it is tried again after an exception, within ``limit_s``. Default 0.
    Set it only if a second try does no harm."""
    irreversible: bool
    """It needs ``approve``, and never runs while the caller is interrupting. Default False."""
    approve: ApprovalHook | Literal["operator"] | None
    """An async function ``(call, name, arguments)``. The tool runs only if it returns True; it may return
    the reason for a refusal as text. ``"operator"``: a person answers on ``call.approvals``. Default: the
    tool needs no approval."""
    approve_timeout_s: float | None
    """The call counts as refused after this time. Default: ``tools.approve_timeout_s``."""


def _check(options: Mapping[str, Any], key: str) -> None:
    """Raise ConfigError for options that make no sense."""
    if unknown := options.keys() - ToolOptions.__annotations__.keys():
        known = ", ".join(ToolOptions.__annotations__)
        raise ConfigError(key, f"has no option {min(unknown)}", f"use one of {known}")
    if options.get("late", "drop") not in ("drop", "deliver"):
        raise ConfigError(key, "late has a wrong value", 'set late to "drop" or "deliver"')
    retry = options.get("retry", 0)
    if type(retry) is not int or retry < 0:
        raise ConfigError(key, "retry is not a number of tries", "set retry to 0 or more")
    for name in ("timeout_s", "target_s", "limit_s", "approve_timeout_s"):
        value = options.get(name)
        if value is not None and not value > 0:
            raise ConfigError(
                key,
                f"{name} must be more than 0 seconds",
                "give a longer time, or leave it out for the usual one",
            )
    timeout_s, limit_s, approve = options.get("timeout_s"), options.get("limit_s"), options.get("approve")
    if limit_s is not None and timeout_s is not None and limit_s < timeout_s:
        raise ConfigError(
            key,
            "limit_s, the time it may run in all, is less than timeout_s",
            "set limit_s to timeout_s or more",
        )
    hook = "an async function (call, name, arguments) -> True or the reason why not"
    if options.get("irreversible") and approve is None:
        who = f'approve=, {hook}, or "{OPERATOR}" to be asked on call.approvals'
        raise ConfigError(key, "is irreversible, so each call of it must be approved", f"give {who}")
    if approve not in (None, OPERATOR) and not is_async(approve):
        raise ConfigError(key, "approve has a wrong value", f'give {hook}, or "{OPERATOR}"')


@attrs.frozen
class Tool:
    """A function the model may call."""

    name: str
    function: ToolFunction
    schema: Mapping[str, Any] = attrs.field(eq=False, repr=False)
    """As the Realtime API takes it: ``type``, ``name``, ``description``, ``parameters``."""
    signature: Signature = attrs.field(eq=False, repr=False)
    options: ToolOptions = attrs.field(factory=ToolOptions)
    """Those that were given."""

    @property
    def lean(self) -> bool:
        """It is offered in the first turn already."""
        return self.options.get("lean", False)

    @property
    def silent(self) -> bool:
        """Its answer asks for no response."""
        return self.options.get("silent", False)

    @property
    def detached(self) -> bool:
        """It continues after hang-up."""
        return self.options.get("detached", False)

    @property
    def delivers_late(self) -> bool:
        """The model receives its result also when it no longer waits for it."""
        return self.options.get("late") == "deliver"

    def read(self, arguments: str) -> dict[str, Any]:
        """The model's JSON arguments as typed values.

        Raises:
            ValueError: they do not fit; the text says what is wrong and is meant for the model.
        """
        return self.signature.read(arguments)

    def bind(self, arguments: str, context: ToolContext) -> dict[str, Any]:
        """All keyword arguments of one try, fresh; raises as ``read`` does."""
        given = {CallHandle: context.call, ToolContext: context}
        return self.read(arguments) | {name: given[kind] for name, kind in self.signature.given.items()}

    def times(self, tools: ToolsConfig) -> ToolTimes:
        """Its own times, and those of the section ``[tools]`` where it has none."""
        options = self.options
        timeout_s = options.get("timeout_s") or tools.timeout_s
        outlives = self.detached or self.delivers_late
        limit_s = options.get("limit_s") or (tools.limit_s if outlives else timeout_s)
        approve_s = 0.0
        if options.get("approve") is not None:
            approve_s = options.get("approve_timeout_s") or tools.approve_timeout_s
        return ToolTimes(timeout_s, max(limit_s, timeout_s), approve_s)


def make_tool(function: ToolFunction, **options: Unpack[ToolOptions]) -> Tool:
    """Read a function's signature and docstring.

    Raises:
        ConfigError: the function cannot be a tool, or an option makes no sense.
    """
    name = options.get("name")
    if not callable(function):
        raise ConfigError(f"tool {name or ''}".rstrip(), "is no function", "give an async function")
    name = name_of(function) if name is None else name
    if not isinstance(name, str) or not TOOL_NAME.holds(name):
        raise ConfigError(f"tool {name}", f"its name must be {TOOL_NAME.wants}", "give it one with name=")
    _check(dict(options), f"tool {name}")
    signature = read_signature(function, name, (CallHandle, ToolContext))
    schema = {
        "type": "function",
        "name": name,
        "description": options.get("description") or signature.description,
        "parameters": signature.schema,
    }
    return Tool(name, function, schema, signature, options)
