"""The official package's types check what is sent and received, in both dialects.

The package is loaded when the first test asks for them: it has a thousand modules, and most workers of a
run have no such test.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, get_args

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def client_events(dialect: str) -> TypeAdapter[Any]:
    """Of what a client sends; the dialect is ``ga`` or ``flat``."""
    return _checked(_types(dialect).RealtimeClientEvent)


@cache
def server_events(dialect: str) -> TypeAdapter[Any]:
    """Of what the server sends."""
    return _checked(_types(dialect).RealtimeServerEvent)


def server_event_types() -> set[str]:
    """The ``type`` of every event that the server may send, in the newer dialect."""
    return {
        get_args(member.model_fields["type"].annotation)[0]
        for member in get_args(get_args(_types("ga").RealtimeServerEvent)[0])
    }


def stray_keys(model: Any, path: str = "") -> list[str]:
    """Keys the types do not know; they let extras pass, the server refuses the whole event."""
    from pydantic import BaseModel

    if isinstance(model, BaseModel):
        here = [f"{path}.{name}" for name in model.model_extra or {}]
        inner = [stray_keys(getattr(model, name), f"{path}.{name}") for name in type(model).model_fields]
        return here + [key for keys in inner for key in keys]
    if isinstance(model, list | tuple):
        return [key for place, each in enumerate(model) for key in stray_keys(each, f"{path}[{place}]")]
    return []


def _types(dialect: str) -> Any:
    from openai.types import realtime
    from openai.types.beta import realtime as beta

    return {"ga": realtime, "flat": beta}[dialect]


def _checked(union: Any) -> TypeAdapter[Any]:
    from pydantic import Field, TypeAdapter

    # The discriminator is what makes an unknown type an error; a plain union would guess.
    return TypeAdapter(Annotated[union, Field(discriminator="type")])
