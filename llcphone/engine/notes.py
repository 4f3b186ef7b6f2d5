"""The kinds of notes: of telephone and session, the conversation, tools, the end of a call, and alarms."""

from __future__ import annotations

from llcphone.engine.note import Note


class Dialling(Note, kind="dialling"):
    """The carrier is asked to ring the callee."""


class Dialled(Note, kind="dialled"):
    """The carrier has taken the call."""


class DialFailed(Note, kind="dial failed"):
    """The carrier has refused the call; ``code`` is its own."""

    code: str


class Carrier(Note, kind="carrier"):
    """A status callback, in Twilio's words."""

    status: str


class AnsweredBy(Note, kind="answered by"):
    """The verdict of machine detection, in Twilio's words."""

    who: str


class StreamStarted(Note, kind="stream started"):
    """The media stream is up: somebody is on the line."""


class FramesMissing(Note, kind="frames missing"):
    """The telephone sends no frames in the middle of a turn; silence is filled in."""


class KeysPressed(Note, kind="keys pressed"):
    """We have pressed keys."""


class SetupPhase(Note, kind="setup"):
    """How far the set-up of the first session is."""

    phase: str


class ModelConnected(Note, kind="model connected"):
    """A model leg is open."""

    dialect: str


class ModelConnectFailed(Note, kind="model connect failed"):
    """A model leg could not be opened, or ended before it was configured."""

    code: str
    endpoint: int = 0


class SessionRefused(Note, kind="session refused"):
    """The server has refused a session's settings."""

    code: str
    param: str
    endpoint: int = 0


class SessionReady(Note, kind="session ready"):
    """The first session is configured."""

    took_ms: int
    endpoint: int = 0


class SessionUpdate(Note, kind="session update"):
    """A later update of the session was sent."""

    what: str


class SessionUpdateRefused(Note, kind="session update refused"):
    """The server has refused later updates; the call continues without them."""

    what: str
    code: str
    param: str


class ModelError(Note, kind="model error"):
    """An error of the server on a configured session."""

    code: str
    param: str


class ModelLost(Note, kind="model lost"):
    """The session is lost; another one is opened."""

    cause: str


class ModelRestored(Note, kind="model restored"):
    """A fresh session has taken over."""

    gap_ms: int
    endpoint: int = 0


class CallResumed(Note, kind="call resumed"):
    """The call continues from what another process has kept of it."""

    lines: int
    owed: str


class SessionDue(Note, kind="session due"):
    """The session is to be replaced before it ends."""

    why: str


class SuccessorReady(Note, kind="successor ready"):
    """The session that will replace the present one is ready."""


class SuccessorFailed(Note, kind="successor failed"):
    """It could not be made ready."""

    code: str


class ModelRenewed(Note, kind="model renewed"):
    """It has taken over, in a quiet moment."""


class FloorMoved(Note, kind="floor"):
    """Somebody else may speak now."""

    floor: str


class CallerSaid(Note, kind="caller said"):
    """The caller's words, when the transcriber is done with them."""

    item: str
    words: str


class AgentSaid(Note, kind="agent said"):
    """The agent's words; they run ahead of the voice."""

    item: str
    words: str


class AgentSpeaks(Note, kind="agent speaks"):
    """The first audio of a turn was sent to the telephone, this long after the caller's last speech."""

    answer_gap_ms: int | None


class BargeIn(Note, kind="barge-in"):
    """The caller has cut an item; ``words`` are those that were heard."""

    item: str
    heard_ms: int
    generated_ms: int
    words: str
    stop_ms: int | None
    """From where turn detection dates the caller's speech until now."""

    @property
    def fields(self) -> dict[str, object]:
        """Without a time that is not known."""
        fields = super().fields
        if self.stop_ms is None:
            del fields["stop_ms"]
        return fields


class BargeInDismissed(Note, kind="barge-in dismissed"):
    """Speech over the agent's voice was too short to be believed."""


class TurnLeftOpen(Note, kind="turn left open"):
    """Nothing ends the caller's turn: the floor is free."""


class TurnTooShort(Note, kind="turn too short"):
    """A turn that was committed by hand has too little audio."""

    ms: int


class Silence(Note, kind="silence"):
    """Silence: the caller is asked for the ``prompt``-th time; 0: they hear a good-bye."""

    prompt: int


class ResponseDone(Note, kind="response done"):
    """A response that somebody asked for has ended."""

    asked: str
    status: str


class ResponseFailed(Note, kind="response failed"):
    """A response has failed."""

    code: str


class UnaskedResponse(Note, kind="unasked response"):
    """A response that was not requested is cancelled."""


class NoSound(Note, kind="no sound"):
    """A response that was due has ended without a sound."""

    asked: str
    times: int


class Tokens(Note, kind="tokens"):
    """A response has reported its tokens, or a session that is billed by time its seconds."""

    cost_usd: float | None
    call_usd: float | None
    of_turn: bool
    cached_share: float


class BudgetSpent(Note, kind="budget spent"):
    """The call has cost enough."""

    call_usd: float
    budget_usd: float


class ToolBegun(Note, kind="tool"):
    """A tool runs."""

    name: str
    call_id: str


class ToolDone(Note, kind="tool done"):
    """A tool has answered."""

    call_id: str
    ok: bool
    took_ms: int


class ToolLate(Note, kind="tool late"):
    """The model waits no longer for a tool."""

    name: str
    call_id: str


class ToolSlow(Note, kind="tool slow"):
    """A tool took longer than it should."""

    name: str
    took_ms: int
    target_ms: int


class ToolOutputRefused(Note, kind="item refused"):
    """The server has refused a tool's answer, which is given again in another form."""

    code: str
    param: str


class ApprovalAsked(Note, kind="approval asked"):
    """A tool waits for a person's word."""

    name: str
    call_id: str


class ResultTold(Note, kind="told"):
    """The model got a result that it had not asked for."""

    name: str


class HangingUp(Note, kind="hanging up"):
    """The call ends once the last word was heard."""


class TransferPutOff(Note, kind="transfer put off"):
    """The caller spoke before the transfer began: the model has to ask for it again."""


class GoodbyeAsked(Note, kind="farewell"):
    """Our side must end the call."""


class FillerPlayed(Note, kind="filler"):
    """The caller hears stored words while the ``model`` is lost, or while a ``tool`` works."""

    why: str


class ApologyPlayed(Note, kind="apology"):
    """The caller hears the stored apology."""


class SlowTurn(Note, kind="slow turn"):
    """The caller has waited too long for an answer; ``because`` names the longest part."""

    ms: int
    because: str
    turn: int


class DeadAir(Note, kind="dead air"):
    """The caller waits in silence; ``because`` names what for."""

    ms: int
    because: str


class LoopHeld(Note, kind="loop held"):
    """A tool or hook of this call has held the event loop."""

    by: str
    ms: int
