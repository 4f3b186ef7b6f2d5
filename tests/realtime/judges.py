"""The official package's types check both dialects."""

from __future__ import annotations

from typing import Annotated, Any

from openai.types.beta import realtime as beta
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, Field, TypeAdapter

from llcphone.realtime.dialects import Dialect

# The discriminator is what makes an unknown type an error; a plain union would guess.
CLIENT: dict[Dialect, TypeAdapter[Any]] = {
    Dialect.GA: TypeAdapter(Annotated[RealtimeClientEvent, Field(discriminator="type")]),
    Dialect.FLAT: TypeAdapter(Annotated[beta.RealtimeClientEvent, Field(discriminator="type")]),
}
SERVER: dict[Dialect, TypeAdapter[Any]] = {
    Dialect.GA: TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")]),
    Dialect.FLAT: TypeAdapter(Annotated[beta.RealtimeServerEvent, Field(discriminator="type")]),
}


def stray_keys(model: Any, path: str = "") -> list[str]:
    """Keys the types do not know; they let extras pass, the server refuses the whole event."""
    if isinstance(model, BaseModel):
        here = [f"{path}.{name}" for name in model.model_extra or {}]
        inner = [stray_keys(getattr(model, name), f"{path}.{name}") for name in type(model).model_fields]
        return here + [key for keys in inner for key in keys]
    if isinstance(model, list | tuple):
        return [key for place, each in enumerate(model) for key in stray_keys(each, f"{path}[{place}]")]
    return []
