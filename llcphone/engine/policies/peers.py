"""The policies of one call, each with those that it calls by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.policies.alarms import Alarms
from llcphone.engine.policies.barge_in import BargeIn
from llcphone.engine.policies.connecting import Connecting
from llcphone.engine.policies.echo_guard import EchoGuard
from llcphone.engine.policies.feed import Feed
from llcphone.engine.policies.goodbye import Goodbye
from llcphone.engine.policies.instructions import Instructions
from llcphone.engine.policies.live_tool_calls import LiveToolCalls
from llcphone.engine.policies.manual_turns import ManualTurns
from llcphone.engine.policies.outbound import Outbound
from llcphone.engine.policies.phone_line import PhoneLine
from llcphone.engine.policies.recovery import Recovery
from llcphone.engine.policies.renewal import Renewal
from llcphone.engine.policies.reply_end import ReplyEnd
from llcphone.engine.policies.silence import Silence
from llcphone.engine.policies.stall import Stall
from llcphone.engine.policies.tool_calls import ToolCalls
from llcphone.engine.policies.unsupported import Unsupported

if TYPE_CHECKING:
    from llcphone.engine.state import CallState


class Policies:
    """What decides in one call, in the order in which one calls another: none calls a later one."""

    def __init__(self, state: CallState) -> None:
        self.barge_in = BargeIn(state)
        dialling = state.dialling
        self.outbound = None if dialling is None else Outbound(state, dialling, barge_in=self.barge_in)
        self.connecting = Connecting(state)
        self.renewal = Renewal(state)
        self.unsupported = Unsupported(state, renewal=self.renewal)
        self.line = PhoneLine(state)
        self.feed = None if state.setup.live is None else Feed(state, state.setup.live)
        self.alarms = Alarms(state, line=self.line)
        self.silence = Silence(state)
        self.stall = Stall(state)
        self.tools = ToolCalls(state) if state.setup.live is None else LiveToolCalls(state, state.setup.live)
        self.instructions = Instructions(state)
        self.recovery = Recovery(
            state,
            barge_in=self.barge_in,
            connecting=self.connecting,
            outbound=self.outbound,
            renewal=self.renewal,
            stall=self.stall,
        )
        self.replies = ReplyEnd(state, recovery=self.recovery, tools=self.tools)
        self.manual = ManualTurns(state, barge_in=self.barge_in, silence=self.silence)
        self.goodbye = Goodbye(state, recovery=self.recovery)
        self.echo = EchoGuard(
            state, barge_in=self.barge_in, manual=self.manual, recovery=self.recovery, silence=self.silence
        )
