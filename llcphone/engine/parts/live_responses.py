"""Which utterances are asked of a Live session, and whether its backend is at work.

The face is that of ``responses``: wishes wait until nothing is being said. What differs:

    asking       a wish leaves as its cue (``Speak``). The first one of a session is sent a second time if no
                 voice follows: some sessions stay silent until they are asked again
    utterances   the model decides alone when it speaks, so none is unasked: one without a purpose of ours
                 answers the caller
    backend      tools belong to a text model beside the voice. It is continued when its calls are answered,
                 whoever speaks: while it waits, the voice answers no new question. Its last word fulfils
                 that, whether or not the voice speaks of it
"""

from __future__ import annotations

from llcphone.engine.parts.responses import GREETING, OURS, TOOLS, TURN, Asked, Response, Responses
from llcphone.realtime.messages import CreateResponse, ModelMessage, Speak

_VOICE_MS = 2_000
"""The voice speaks of a result up to 1.6 s after the backend's last word. Until then the moment is not
quiet."""

_ANSWER = "Answer the caller now."
_CUES = {TOOLS: "A result that the caller waits for has come. Tell the caller about it now."}
"""What the agent is asked to do where nothing else is said about it."""


class LiveResponses(Responses):
    """What one call's Live session is asked for, and what it says."""

    def __init__(self, *, response_wait_ms: int, again_ms: int) -> None:
        """``again_ms``: the first ask of a session is repeated after this time without an utterance."""
        super().__init__(response_wait_ms=response_wait_ms)
        self._repeat_ms = again_ms
        self._cues: dict[str, str] = {}
        self._may_repeat = True
        self._backend_ms: int | None = None
        """Since when the backend works on the answers of its tools."""
        self._voice_due_ms = 0
        """Until when the voice may still begin to speak of a result."""

    # -- what we want -----------------------------------------------------------------------

    def want_by(self, purpose: str, cue: str) -> None:
        """Ask for an utterance by this cue; where one of this purpose is wished for already, by both cues."""
        before = self._cues.get(purpose, "") if purpose in self._wishes else ""
        self._cues[purpose] = "\n".join(each for each in (before, cue) if each)
        self.want(purpose)

    def _message(self, purpose: str) -> ModelMessage:
        return Speak(self._cues.get(purpose) or _CUES.get(purpose, _ANSWER), purpose)

    def due(self, now_ms: int, *, caller_speaking: bool) -> list[ModelMessage]:
        """Our next ask, if one may leave now; or the first one of the session again."""
        if self._voice_due_ms <= now_ms:
            self._voice_due_ms = 0
        repeat_ms = self._repeat_at_ms
        if self._create is not None and repeat_ms is not None and repeat_ms <= now_ms:
            self._may_repeat, self._create_ms = False, now_ms
            return [self._message(self._create)]
        return super().due(now_ms, caller_speaking=caller_speaking)

    def wakes_ms(self, *, caller_speaking: bool) -> int | None:
        """When a wish may leave, or leaves again, or the moment is quiet, although nothing happens."""
        wish_ms = super().wakes_ms(caller_speaking=caller_speaking)
        times = (wish_ms, self._repeat_at_ms, self._voice_due_ms or None)
        return min((each for each in times if each is not None), default=None)

    @property
    def _repeat_at_ms(self) -> int | None:
        return self._create_ms + self._repeat_ms if self._create is not None and self._may_repeat else None

    def output_sent(self, call_id: str) -> None:
        """A tool's answer is on its way. The backend sees it in any case: it is given before its create."""

    def ask_anew(self, purpose: str) -> list[ModelMessage]:
        """An answer was refused and given again: the backend that was to go on without it could not."""
        return [CreateResponse(TOOLS)] if self._backend_ms is not None else []

    # -- the backend ------------------------------------------------------------------------

    def backend_continues(self, now_ms: int) -> None:
        """All its calls are answered: it goes on."""
        self._backend_ms = now_ms

    def backend_done(self, now_ms: int, *, calls: bool) -> None:
        """A response of it has ended; ``calls``: we answer its calls next, else the voice has its result."""
        self._backend_ms = None
        self._voice_due_ms = self._voice_due_ms if calls else now_ms + _VOICE_MS

    @property
    def backend_since_ms(self) -> int | None:
        """Since when the backend works on what its tools have answered; None while it does not."""
        return self._backend_ms

    @property
    def idle_from_ms(self) -> int | None:
        """Since or from when nothing is active, wished for or to come of the backend."""
        since_ms = super().idle_from_ms if self._backend_ms is None else None
        return None if since_ms is None else max(since_ms, self._voice_due_ms)

    @property
    def reply_pending(self) -> bool:
        """An utterance is wished for or asked for, or the backend is at work."""
        return super().reply_pending or self._backend_ms is not None

    def owes(self, purpose: str) -> bool:
        """Whether something of this purpose is still to come."""
        return super().owes(purpose) or (purpose == TOOLS and self._backend_ms is not None)

    def forget_session(self) -> None:
        """The session is gone, its backend with it; a new one has not spoken yet."""
        super().forget_session()
        self._backend_ms = None
        self._voice_due_ms = 0
        self._may_repeat = True

    # -- what happened ----------------------------------------------------------------------

    def created(
        self, response_id: str, now_ms: int, *, in_conversation: bool, purpose: str
    ) -> tuple[Response, list[ModelMessage]]:
        """An utterance has begun; a cancel if it was asked for and the moment for it is over."""
        self._may_repeat = False
        self._voice_due_ms = 0
        return super().created(response_id, now_ms, in_conversation=in_conversation, purpose=purpose)

    def _whose(self, purpose: str) -> tuple[Asked, str]:
        if not purpose:
            return Asked.CALLER, ""
        if purpose == self._create:
            self._create = None
        return OURS.get(purpose, Asked.TOOLS), purpose

    def _drop_answered(self, asked: Asked) -> None:
        """Forget wishes that this utterance fulfils. It need not know of a tool's result."""
        if asked is Asked.CALLER:
            self._wishes = [each for each in self._wishes if each not in (GREETING, TURN)]
