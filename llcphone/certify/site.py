"""What a question may use: the settings, sessions of the model, and the recording of all that is said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio
from attrs import define, field

from llcphone.call.endpoint import Endpoint
from llcphone.call.session_settings import session_fields
from llcphone.certify.fixtures import Recording
from llcphone.certify.talk import Allowance, Talk
from llcphone.realtime.dialects import Dialect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.call.session_source import OpenLeg
    from llcphone.certify.telephone.line import Line
    from llcphone.config import Config

T = TypeVar("T")

LIVE_MODEL = "gpt-live-1"
PROMPT = "You answer the telephone of a restaurant. Answer in one short sentence."


@define(eq=False, kw_only=True)
class Site:
    """One account, while it is asked."""

    config: Config
    dialect: Dialect | None = None
    """What the endpoint speaks, once it is known."""
    recording: Recording = field(factory=Recording)
    line: Line | None = None
    """The account's number, while it is asked."""
    allowance: Allowance = field(factory=lambda: Allowance(0))
    """Responses that the question may still ask for."""
    seconds: Allowance = field(factory=lambda: Allowance(0))
    """Seconds of GPT-Live that the question may still use."""
    live_model: str = ""
    """The model of GPT-Live that is asked; the configured one by default, else the first."""
    now: Callable[[], float] = time.time
    """Unix seconds."""

    def __attrs_post_init__(self) -> None:
        if not self.live_model:
            is_live = self.config.realtime.protocol == "live"
            self.live_model = self.config.realtime.model if is_live else LIVE_MODEL

    @property
    def the_line(self) -> Line:
        """The account's number; a plan with questions about calls has opened it."""
        assert self.line is not None
        return self.line

    def fields(self, *, tokens: int = 100, instructions: str = PROMPT, **changes: Any) -> dict[str, Any]:
        """A session's first settings as a call has them, with responses of at most so many tokens.

        Args:
            tokens: longest response.
            instructions: the prompt.
            changes: other values of [realtime].
        """
        realtime = attrs.evolve(
            self.config.realtime,
            max_response_tokens=tokens,
            transcription_model=None,
            transcription_language=None,
            transcription_prompt=None,
            **changes,
        )
        return session_fields(realtime, instructions=instructions, tools=[], eagerness=realtime.eagerness)

    async def session(
        self,
        talk: Callable[[Talk], Awaitable[T]],
        *,
        within_s: float,
        dialect: Dialect | None = None,
        model: str = "",
    ) -> T:
        """Open a session, talk with the model, and close it whatever happens.

        Args:
            talk: uses the session.
            within_s: longest time for all of it.
            dialect: another than the endpoint's own.
            model: another than the configured one.

        Raises:
            one of ``model_leg.NO_SESSION``: there was none, or it ended.
        """
        spelt = dialect or self.dialect or Dialect.GA
        config = self.config
        if model:
            config = attrs.evolve(config, realtime=attrs.evolve(config.realtime, model=model))
        opened_s = trio.current_time()

        async def hold(opened: OpenLeg) -> T:
            return await talk(Talk(opened.leg, opened.codec, opened_s, self.recording, self.allowance))

        return await Endpoint(config).visit(spelt, hold, within_s=within_s)
