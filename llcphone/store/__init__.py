"""What is kept after a call: its record, and what a business knows about its callers.

``store`` is the interface (``open_store``, ``store_of``), ``models`` are the values it takes and returns.
"""

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
from llcphone.store.search import CallFilter as CallFilter
from llcphone.store.store import Store as Store
from llcphone.store.store import open_store as open_store
from llcphone.store.store import store_of as store_of
