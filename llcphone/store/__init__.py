"""What is kept after a call: its record, and what a business knows about its callers.

``store`` is the interface (``open_store``, ``store_of``), ``models`` are the values it takes and returns.
What works on the database is imported when it is first used: an agent that may never book anything, and a
command that only loads the agent, need no SQLAlchemy.
"""

from __future__ import annotations

from llcphone.errors import BookingRefused as BookingRefused
from llcphone.errors import StoreUnavailable as StoreUnavailable
from llcphone.store.models import Appointment as Appointment
from llcphone.store.models import CallDetails as CallDetails
from llcphone.store.models import CallSummary as CallSummary
from llcphone.store.models import Customer as Customer
from llcphone.store.models import Message as Message
from llcphone.store.models import Note as Note
from llcphone.store.models import Slot as Slot
from llcphone.store.models import ToolCall as ToolCall
from llcphone.store.of_call import store_of as store_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llcphone.store.search import CallFilter as CallFilter
    from llcphone.store.store import Store as Store
    from llcphone.store.store import open_store as open_store

_HOMES = {
    "CallFilter": "llcphone.store.search",
    "Store": "llcphone.store.store",
    "open_store": "llcphone.store.store",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llcphone.store' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
