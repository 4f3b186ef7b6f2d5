"""A simulated OpenAI Realtime API."""

from llcphone.sim.model.faults import Faults, Illness
from llcphone.sim.model.hearing import SILENCE_MS
from llcphone.sim.model.load import load_script
from llcphone.sim.model.pace import Pace
from llcphone.sim.model.profile import PROFILES, Profile
from llcphone.sim.model.script import (
    CallTool,
    Cancel,
    Event,
    Fail,
    Incomplete,
    ModelScript,
    Say,
    Silence,
    Stall,
    Write,
)
from llcphone.sim.model.session import ModelSession
from llcphone.sim.model.simulator import ModelSimulator, open_model, run_model, serve_model
from llcphone.sim.model.unknowns import Unknowns
from llcphone.sim.model.voice import babble

__all__ = [
    "PROFILES",
    "SILENCE_MS",
    "CallTool",
    "Cancel",
    "Event",
    "Fail",
    "Faults",
    "Illness",
    "Incomplete",
    "ModelScript",
    "ModelSession",
    "ModelSimulator",
    "Pace",
    "Profile",
    "Say",
    "Silence",
    "Stall",
    "Unknowns",
    "Write",
    "babble",
    "load_script",
    "open_model",
    "run_model",
    "serve_model",
]
