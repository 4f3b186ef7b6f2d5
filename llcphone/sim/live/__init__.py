"""A simulated GPT-Live."""

from llcphone.sim.live.faults import Faults
from llcphone.sim.live.load import load_live_script
from llcphone.sim.live.pace import Assumptions, Pace
from llcphone.sim.live.script import BargeIn, LiveScript
from llcphone.sim.live.session import LiveSession
from llcphone.sim.live.simulator import LiveSimulator, open_live, run_live, serve_live
from llcphone.sim.model.script import CallTool, Event, Fail, Incomplete, Say, Silence, Stall
from llcphone.sim.model.voice import babble

__all__ = [
    "Assumptions",
    "BargeIn",
    "CallTool",
    "Event",
    "Fail",
    "Faults",
    "Incomplete",
    "LiveScript",
    "LiveSession",
    "LiveSimulator",
    "Pace",
    "Say",
    "Silence",
    "Stall",
    "babble",
    "load_live_script",
    "open_live",
    "run_live",
    "serve_live",
]
