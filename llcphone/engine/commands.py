"""What the engine asks for. The tasks of the call carry it out and decide nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.engine.note import Note

if TYPE_CHECKING:
    from llcphone.engine.events import EndReason
    from llcphone.realtime.dialects import Dialect
    from llcphone.realtime.messages import ModelMessage
    from llcphone.twilio.media import PhoneMessage


@attrs.frozen
class ConnectModel:
    """Open a model leg of this number; an older one still in flight is closed first."""

    leg_number: int
    dialect: Dialect | None
    """None: the answer to the endpoint's dialect question, flat while there is none."""
    after_ms: int = 0
    """Pause before dialling (back-off of a redial)."""
    endpoint: int = 0
    """Which of the setup's endpoints."""


@attrs.frozen
class ConnectStandby:
    """Open a leg beside the present one: its successor. Fields as in ``ConnectModel``."""

    leg_number: int
    dialect: Dialect | None
    after_ms: int = 0
    endpoint: int = 0


@attrs.frozen
class SendStandby:
    """To the successor; everything else goes to the present leg."""

    leg_number: int
    message: ModelMessage


@attrs.frozen
class SwitchModel:
    """From now on the leg of this number is the present one; the one before it is closed."""

    leg_number: int


@attrs.frozen
class CloseModel:
    """Close the model leg of this number, open or still connecting."""

    leg_number: int


@attrs.frozen
class RememberDialect:
    """A definite answer to the endpoint's dialect question."""

    dialect: Dialect
    endpoint: int = 0


@attrs.frozen
class RememberUnsupported:
    """The endpoint of this leg does not understand something (``realtime.unsupported``)."""

    leg_number: int
    name: str


@attrs.frozen
class Dial:
    """Ask the carrier to ring the callee; what becomes of it comes back as events."""


@attrs.frozen
class SendModel:
    message: ModelMessage


@attrs.frozen
class SendPhone:
    message: PhoneMessage


@attrs.frozen
class RunTool:
    """Start a tool task; its answer comes back as ``ToolFinished``."""

    call_id: str
    name: str
    arguments: str
    """JSON text as the model wrote it."""


@attrs.frozen
class RunHook:
    """Run one of the agent's own hooks: ``start`` or ``digit``."""

    name: str
    argument: str = ""


@attrs.frozen
class EndCall:
    """The call is over; after it a step is a no-op."""

    reason: EndReason


Command = (
    ConnectModel
    | ConnectStandby
    | SendStandby
    | SwitchModel
    | CloseModel
    | RememberDialect
    | RememberUnsupported
    | Dial
    | SendModel
    | SendPhone
    | RunTool
    | RunHook
    | Note
    | EndCall
)
