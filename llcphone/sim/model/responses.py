"""The responses of one session: which begin, which is refused, which one holds the conversation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.sim.model.check import Refused
from llcphone.sim.model.response import Response
from llcphone.sim.model.script import CallTool, Fail, Say, Stall, Step, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.sim.model.caller_audio import CallerAudio
    from llcphone.sim.model.faults import Illness
    from llcphone.sim.model.state import SessionState

Json = dict[str, Any]

_CANNOT = Say("I am sorry, I cannot do that yet.")


@attrs.define(eq=False)
class Responses:
    session: SessionState = attrs.field(repr=False)
    audio: CallerAudio = attrs.field(repr=False)
    all: list[Response] = attrs.field(factory=list)
    active: Response | None = None
    """The response that holds the default conversation."""
    asked_s: list[float] = attrs.field(factory=list, repr=False)
    """When a response of the default conversation was asked for, by the client or by turn detection."""
    skipped_tools: list[str] = attrs.field(factory=list)
    """Tools the script wanted to call and the session did not offer."""

    def start(self, request: Json) -> Response:
        """Answer from the script.

        Raises:
            Refused: the default conversation has an active response.
        """
        if request.get("conversation") == "none":
            return self.begin(steps_of(self.session.reading.script.out_of_band), request)
        self.asked_s.append(trio.current_time())
        if self.active is not None:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        if (illness := self._illness) is not None and illness.how == "error":
            raise Refused(illness.code, illness.text(trio.current_time()))
        tools: list[Json] = request["tools"] if "tools" in request else self.session.config["tools"]
        past = [item.render() for item in self.session.items]
        steps = self.session.reading.next_turn(past, tools, self._instruction(request))
        return self.begin(self._possible(steps, tools), request)

    def _instruction(self, request: Json) -> str:
        """What the response is asked by, beside the conversation: words of its own, or a last system item."""
        last = self.session.items[-1] if self.session.items else None
        return str(request.get("instructions") or (last.text if last and last.role == "system" else ""))

    def answer(self) -> None:
        """Answer because of a caller turn; a refusal becomes an event that answers none of the client's."""
        try:
            self.start({})
        except Refused as refusal:
            self.session.send(refusal.as_error(None))

    def begin(self, steps: list[Step], request: Json) -> Response:
        """Answer with these steps."""
        if (illness := self._illness) is not None and request.get("conversation") != "none":
            steps = self._fall_ill(illness)
        if self.session.faults.fail_responses:
            self.session.faults.fail_responses -= 1
            steps = [Fail("inference_rate_limit_exceeded", "Rate limit reached.", "invalid_request_error")]
        response = Response(self.session, self._over, self.session.new_id("resp"), steps, request)
        self.all.append(response)
        if response.in_conversation:
            self.active = response
        if not self.session.pace.created_ms:
            response.begin()
        self.session.spawn(response.run, name="sim model response")
        return response

    def _over(self, response: Response) -> None:
        """A response ended: free the conversation, report the limits."""
        if self.active is response:
            self.active = None
            self.audio.expect_answer(sum(item.generated_ms for item in response.items))
        used = sum(each.usage["total_tokens"] for each in self.all if each.usage)
        tokens = {"name": "tokens", "limit": 200_000, "remaining": 200_000 - used % 200_000}
        tokens["reset_seconds"] = 0.5
        if (illness := self._illness) is not None and illness.names_limits:
            tokens |= {"remaining": 0, "reset_seconds": illness.until_s - trio.current_time()}
        self.session.send({"type": "rate_limits.updated", "rate_limits": [tokens]})

    @property
    def _illness(self) -> Illness | None:
        illness = self.session.faults.illness
        return illness if illness is not None and trio.current_time() < illness.until_s else None

    def _fall_ill(self, illness: Illness) -> list[Step]:
        """What becomes of a response now; if the connection ends, it does so once the response has begun."""
        match illness.how:
            case "reset":
                self.session.spawn(self._end_soon, self.session.reset, name="sim model illness")
            case "close":
                close = partial(self.session.close, illness.close_with, illness.text(trio.current_time()))
                self.session.spawn(self._end_soon, close, name="sim model illness")
            case _:
                return [Fail(illness.code, illness.text(trio.current_time()))]
        return [Stall()]

    async def _end_soon(self, end: Callable[[], None]) -> None:
        await trio.sleep(self.session.pace.first_audio_ms / 1000)
        end()

    def _possible(self, steps: list[Step], tools: list[Json]) -> list[Step]:
        """A model calls only tools it was given: without one the script's call is left out."""
        names = {tool.get("name") for tool in tools}
        kept: list[Step] = []
        for step in steps:
            if isinstance(step, CallTool) and step.name not in names and not step.hallucinated:
                self.skipped_tools.append(step.name)
            else:
                kept.append(step)
        return kept or ([_CANNOT] if steps else [])
