"""llcphone: phone calls an AI model holds by voice, on Trio.

    async with llcphone.open_phone(config, agent) as phone:
        ...  # phone.answer(form) is the voice webhook; phone.serve_leg(websocket) its media stream

The names below are the API; everything else may move.
"""

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
from llcphone.leaving import Outcome as Outcome
from llcphone.phone import Phone as Phone
from llcphone.phone_open import open_phone as open_phone
from llcphone.settings import load_config as load_config
from llcphone.tooling import CallHandle as CallHandle
from llcphone.tooling import ToolContext as ToolContext
from llcphone.transfers import Recording as Recording

__version__ = "0.1.0"
