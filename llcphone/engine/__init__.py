"""The engine decides everything that happens in a call. It waits for nothing.

``CallEngine.handle(event, now_ms)`` takes an event and returns commands. The engine has no clock, no
random numbers and no sockets, so a recorded list of events gives the same commands again. Start reading
at ``call.py``; ``policies/`` has one file for each decision, ``parts/`` one for each fact.
"""

from llcphone.engine.call import CallEngine as CallEngine
from llcphone.engine.call_setup import CallSetup as CallSetup
