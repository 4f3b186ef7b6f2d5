"""llcphone: phone calls an AI model holds by voice, on Trio.

    async with llcphone.open_phone(config, agent) as phone:
        ...  # phone.answer(form) is the voice webhook; phone.serve_leg(websocket) its media stream

The names below are the API; everything else may move. Each is imported when it is first used, so that
``import llcphone`` and the ``llcphone`` command begin at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llcphone.agent import Agent as Agent
    from llcphone.call.handle import Call as Call
    from llcphone.call.record import CallRecord as CallRecord
    from llcphone.config import Config as Config
    from llcphone.engine.commands import Note as Note
    from llcphone.engine.events import EndReason as EndReason
    from llcphone.errors import ConfigError as ConfigError
    from llcphone.errors import DialRefused as DialRefused
    from llcphone.errors import JoinRefused as JoinRefused
    from llcphone.errors import LLCPhoneError as LLCPhoneError
    from llcphone.errors import NotAdmitted as NotAdmitted
    from llcphone.host import until_signal as until_signal
    from llcphone.leaving import Outcome as Outcome
    from llcphone.phone import Phone as Phone
    from llcphone.phone_open import open_phone as open_phone
    from llcphone.settings import load_config as load_config
    from llcphone.tooling import CallHandle as CallHandle
    from llcphone.tooling import ToolContext as ToolContext
    from llcphone.transfers import Recording as Recording

__version__ = "0.1.0"

_HOMES = {
    "Agent": "llcphone.agent",
    "Call": "llcphone.call.handle",
    "CallRecord": "llcphone.call.record",
    "Config": "llcphone.config",
    "Note": "llcphone.engine.commands",
    "EndReason": "llcphone.engine.events",
    "ConfigError": "llcphone.errors",
    "DialRefused": "llcphone.errors",
    "JoinRefused": "llcphone.errors",
    "LLCPhoneError": "llcphone.errors",
    "NotAdmitted": "llcphone.errors",
    "until_signal": "llcphone.host",
    "Outcome": "llcphone.leaving",
    "Phone": "llcphone.phone",
    "open_phone": "llcphone.phone_open",
    "load_config": "llcphone.settings",
    "CallHandle": "llcphone.tooling",
    "ToolContext": "llcphone.tooling",
    "Recording": "llcphone.transfers",
}
"""Each public name and the module that has it."""


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llcphone' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
