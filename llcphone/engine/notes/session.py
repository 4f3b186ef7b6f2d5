"""Notes of the telephone and of the model's session."""

from __future__ import annotations

import attrs

from llcphone.engine.notes.base import Note

# -- the telephone ------------------------------------------------------------------------------


@attrs.frozen
class Dialling(Note):
    """The carrier is asked to ring the callee."""

    kind = "dialling"


@attrs.frozen
class Dialled(Note):
    """The carrier has taken the call."""

    kind = "dialled"


@attrs.frozen
class DialFailed(Note):
    """The carrier has refused the call; ``code`` is its own."""

    kind = "dial failed"
    code: str


@attrs.frozen
class Carrier(Note):
    """A status callback, in Twilio's words."""

    kind = "carrier"
    status: str


@attrs.frozen
class AnsweredBy(Note):
    """The verdict of machine detection, in Twilio's words."""

    kind = "answered by"
    who: str


@attrs.frozen
class StreamStarted(Note):
    """The media stream is up: somebody is on the line."""

    kind = "stream started"


@attrs.frozen
class FramesMissing(Note):
    """The telephone sends no frames in the middle of a turn; silence is filled in."""

    kind = "frames missing"


@attrs.frozen
class KeysPressed(Note):
    """We have pressed keys."""

    kind = "keys pressed"


# -- the model's session ------------------------------------------------------------------------


@attrs.frozen
class SetupPhase(Note):
    """How far the set-up of the first session is."""

    kind = "setup"
    phase: str


@attrs.frozen
class ModelConnected(Note):
    """A model leg is open."""

    kind = "model connected"
    dialect: str


@attrs.frozen
class ModelConnectFailed(Note):
    """A model leg could not be opened, or ended before it was configured."""

    kind = "model connect failed"
    code: str


@attrs.frozen
class SessionRefused(Note):
    """The server has refused a session's settings."""

    kind = "session refused"
    code: str
    param: str


@attrs.frozen
class SessionReady(Note):
    """The first session is configured."""

    kind = "session ready"
    took_ms: int


@attrs.frozen
class SessionUpdate(Note):
    """A later update of the session was sent."""

    kind = "session update"
    what: str


@attrs.frozen
class SessionUpdateRefused(Note):
    """The server has refused later updates; the call continues without them."""

    kind = "session update refused"
    what: str
    code: str
    param: str


@attrs.frozen
class ModelError(Note):
    """An error of the server on a configured session."""

    kind = "model error"
    code: str
    param: str


@attrs.frozen
class ModelLost(Note):
    """The session is lost; another one is opened."""

    kind = "model lost"
    cause: str


@attrs.frozen
class ModelRestored(Note):
    """A fresh session has taken over."""

    kind = "model restored"
    gap_ms: int


@attrs.frozen
class CallResumed(Note):
    """The call continues from what another process has kept of it."""

    kind = "call resumed"
    lines: int
    owed: str


@attrs.frozen
class SessionDue(Note):
    """The session is to be replaced before it ends."""

    kind = "session due"
    why: str


@attrs.frozen
class SuccessorReady(Note):
    """The session that will replace the present one is ready."""

    kind = "successor ready"


@attrs.frozen
class SuccessorFailed(Note):
    """It could not be made ready."""

    kind = "successor failed"
    code: str


@attrs.frozen
class ModelRenewed(Note):
    """It has taken over, in a quiet moment."""

    kind = "model renewed"
