"""What the server room asks of the phone (`llcphone.phone.Phone`), and of any stand-in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from llcphone.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.agent import Agent
    from llcphone.call.handle import Call
    from llcphone.dialler import Dialler
    from llcphone.phone import AgentChoice
    from llcphone.transfers import Transfers
    from llcphone.wire.leg import Leg


class PhoneRoom(Watched, Protocol):
    """What the server room asks of the phone (`llcphone.phone.Phone`)."""

    @property
    def live_calls(self) -> int: ...
    @property
    def dialler(self) -> Dialler | None: ...
    @property
    def transfers(self) -> Transfers: ...
    def answer(self, form: Mapping[str, str]) -> str: ...
    def answer_placed(self, token: str, form: Mapping[str, str]) -> str: ...
    async def after_stream(self, form: Mapping[str, str], generation: int) -> str: ...
    def expects(self, token: str) -> bool: ...
    def join(self, token: str, leg: Leg) -> None: ...
    async def serve_leg(self, websocket: Any, token: str) -> None: ...

    # what the API asks besides
    @property
    def agent(self) -> AgentChoice: ...
    def place_call(
        self, to: str, agent: Agent | None = None, *, context: str, caller_id: str = ""
    ) -> Call: ...
