"""What outlives a call: its record, and what a business knows of the people who ring.

``book`` is the face (``open_store``, ``store_of``), ``shapes`` what it takes and gives.
"""

from llcphone.errors import BookingRefused as BookingRefused
from llcphone.errors import StoreUnavailable as StoreUnavailable
from llcphone.store.book import Store as Store
from llcphone.store.book import open_store as open_store
from llcphone.store.book import store_of as store_of
from llcphone.store.shapes import Appointment as Appointment
from llcphone.store.shapes import CallDetails as CallDetails
from llcphone.store.shapes import CallSummary as CallSummary
from llcphone.store.shapes import Customer as Customer
from llcphone.store.shapes import Message as Message
from llcphone.store.shapes import Note as Note
from llcphone.store.shapes import Slot as Slot
from llcphone.store.shapes import ToolCall as ToolCall
