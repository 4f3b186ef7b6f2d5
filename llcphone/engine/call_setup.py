"""All the engine knows of a call before it happens: plain data, so that a call can be replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.engine.parts.connecting import SetupLimits
from llcphone.engine.parts.schedule import TurnUpdate  # noqa: TC001  (tape.py reads the annotations)
from llcphone.engine.parts.session_age import RenewalPlan
from llcphone.engine.policies.alarms import AlarmPlan
from llcphone.engine.policies.budget import MoneyPlan
from llcphone.engine.policies.echo_guard import EchoPlan
from llcphone.engine.policies.goodbye import FarewellPlan
from llcphone.engine.policies.recovery import RecoveryPlan
from llcphone.engine.policies.resume import Resumed  # noqa: TC001  (tape.py reads the annotations)
from llcphone.engine.policies.silence import SilencePlan
from llcphone.engine.policies.tool_calls import ToolPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.engine.parts.dialling import DialPlan
    from llcphone.realtime.dialects import Dialect


@attrs.frozen
class CallLimits:
    """The engine's own deadlines; see ``config.py`` for what each is for."""

    setup: SetupLimits = attrs.field(factory=SetupLimits)
    token_ms: int = 60_000
    start_ms: int = 10_000
    dead_stream_ms: int = 10_000
    idle_ms: int = 300_000
    max_duration_ms: int = 3_600_000
    goodbye_ms: int = 4_000
    greeting_guard_ms: int = 700
    greeting_guard_max_ms: int = 3_000
    early_audio_ms: int = 10_000
    mark_every_ms: int = 200
    response_wait_ms: int = 3_000


@attrs.frozen
class CallSetup:
    """What one call starts from."""

    session: Mapping[str, Any]
    """The opening ``session.update`` in flat names."""
    call_sid: str = ""
    greets: bool = True
    greeting_cue: str = "Greet the caller."
    pad_ms: int = 0
    priming: bool = False
    schedule: tuple[TurnUpdate, ...] = ()
    """Later updates of the session, by the turn after which each is due."""
    tools: frozenset[str] = frozenset()
    silent_tools: frozenset[str] = frozenset()
    tool_plan: ToolPlan = attrs.field(factory=ToolPlan)
    """How tools are waited for."""
    dialect: Dialect | None = None
    """None: unknown yet."""
    may_switch: bool = True
    """Dialect ``auto``: a refusal of flat turns to GA once."""
    recovery: RecoveryPlan = attrs.field(factory=RecoveryPlan)
    """What to do when the model is lost."""
    money: MoneyPlan = attrs.field(factory=MoneyPlan)
    """What the call may cost."""
    farewell: FarewellPlan = attrs.field(factory=FarewellPlan)
    """What is said when our side must end the call."""
    alarms: AlarmPlan = attrs.field(factory=AlarmPlan)
    """What an operator is told of."""
    renewal: RenewalPlan = attrs.field(factory=RenewalPlan)
    """When a session is replaced before it ends."""
    dial: DialPlan | None = None
    """How to ring the callee; None: they ring us."""
    resumed: Resumed | None = None
    """The conversation of the process that held this call before; None: it is a new call."""
    create_response: bool = True
    """Whether the server answers the turns it detects."""
    interrupt_response: bool = True
    """Whether the caller's speech stops the agent."""
    echo: EchoPlan = attrs.field(factory=EchoPlan)
    """What of the caller's side may be the agent's own voice."""
    silence: SilencePlan = attrs.field(factory=SilencePlan)
    """What to do when nobody speaks."""
    limits: CallLimits = attrs.field(factory=CallLimits)

    @property
    def manual_turns(self) -> bool:
        """The program around the call says when a turn ends; nobody detects it."""
        return self.session.get("turn_detection", ...) is None
