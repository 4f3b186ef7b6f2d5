"""The engine: decides everything in a call, waits for nothing.

``CallEngine.handle(event, now_ms)`` takes what happened and returns what to do. No clock, no
random, no sockets: a recorded list of events replays to the same commands. Start reading at
``call.py``; each other file is one decision it leans on.
"""

from llcphone.engine.call import CallEngine as CallEngine
from llcphone.engine.call_setup import CallSetup as CallSetup
