"""The server room: one public port, the routes, and the process's start and stop.

``serve(phone, config)`` serves a phone until cancelled; ``make_app(phone)`` is the quart-trio app
alone, for programs that serve it themselves.
"""

from llcphone.server.app import make_app as make_app
from llcphone.server.run import serve as serve
from llcphone.server.run import serve_until_signal as serve_until_signal
