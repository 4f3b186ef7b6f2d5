"""llcphone: phone calls an AI model holds by voice, on Trio.

    async with llcphone.open_phone(config, agent) as phone:
        ...  # phone.answer(form) is the voice webhook; phone.serve_leg(websocket) its media stream

The names below are the API; everything else may move. Each is imported when it is first used, so that
``import llcphone`` and the ``llcphone`` command begin at once.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: nothing is imported before the command heeds Ctrl-C
if TYPE_CHECKING:
    from llcphone.agent import Agent as Agent
    from llcphone.call.call import Call as Call
    from llcphone.call.record import CallRecord as CallRecord
    from llcphone.config import Config as Config
    from llcphone.engine.events import EndReason as EndReason
    from llcphone.engine.note import Note as Note
    from llcphone.errors import ConfigError as ConfigError
    from llcphone.errors import DialRefused as DialRefused
    from llcphone.errors import JoinRefused as JoinRefused
    from llcphone.errors import LLCPhoneError as LLCPhoneError
    from llcphone.errors import NotAdmitted as NotAdmitted
    from llcphone.phone.open import open_phone as open_phone
    from llcphone.phone.phone import Phone as Phone
    from llcphone.phone.transfers.recordings import Recording as Recording
    from llcphone.runtime.host import run_in_asyncio as run_in_asyncio
    from llcphone.runtime.host import until_signal as until_signal
    from llcphone.settings import load_config as load_config
    from llcphone.tools.call_handle import CallHandle as CallHandle
    from llcphone.tools.call_handle import Outcome as Outcome
    from llcphone.tools.call_handle import ToolContext as ToolContext
    from llcphone.tools.tool import ToolOptions as ToolOptions

__version__ = "0.1.0"

_HOMES = {
    "Agent": "llcphone.agent",
    "Call": "llcphone.call.call",
    "CallRecord": "llcphone.call.record",
    "Config": "llcphone.config",
    "Note": "llcphone.engine.note",
    "EndReason": "llcphone.engine.events",
    "ConfigError": "llcphone.errors",
    "DialRefused": "llcphone.errors",
    "JoinRefused": "llcphone.errors",
    "LLCPhoneError": "llcphone.errors",
    "NotAdmitted": "llcphone.errors",
    "run_in_asyncio": "llcphone.runtime.host",
    "until_signal": "llcphone.runtime.host",
    "Outcome": "llcphone.tools.call_handle",
    "Phone": "llcphone.phone.phone",
    "open_phone": "llcphone.phone.open",
    "load_config": "llcphone.settings",
    "CallHandle": "llcphone.tools.call_handle",
    "ToolContext": "llcphone.tools.call_handle",
    "ToolOptions": "llcphone.tools.tool",
    "Recording": "llcphone.phone.transfers.recordings",
}
"""Each public name and the module that has it."""


def __getattr__(name: str) -> object:
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llcphone' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
