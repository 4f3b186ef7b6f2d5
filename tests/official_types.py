"""The official package's types check what is sent and received, in both dialects and by GPT-Live.

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


def judge_live_client(event: dict[str, Any]) -> None:
    """Fail on a client event of GPT-Live that the types refuse, or that has a key they do not know."""
    from openai.types.live import ClientEvent

    _judge(_adapter(ClientEvent), event)


def judge_live_server(event: dict[str, Any]) -> None:
    """The same of a server event, and of the backend's event in it.

    The types want a text as the code of an error. The vendor's documents name one that is null.
    """
    from openai.types.live import ServerEvent
    from openai.types.responses import ResponseStreamEvent

    if event["type"] == "error" and event["error"]["code"] is None:
        event = event | {"error": event["error"] | {"code": "null"}}
    _judge(_adapter(ServerEvent), event)
    if event["type"] == "response.event":
        _judge(_adapter(ResponseStreamEvent), event["event"])


def _judge(types: TypeAdapter[Any], event: dict[str, Any]) -> None:
    strays = stray_keys(types.validate_python(event))
    assert not strays, f"{event['type']}: {strays}"


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


@cache
def _adapter(union: Any) -> TypeAdapter[Any]:
    return _checked(union)


def _checked(union: Any) -> TypeAdapter[Any]:
    from pydantic import Field, TypeAdapter

    # The discriminator is what makes an unknown type an error; a plain union would guess.
    return TypeAdapter(Annotated[union, Field(discriminator="type")])
