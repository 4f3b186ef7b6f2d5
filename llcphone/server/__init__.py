"""The server room: one public port, the routes, and the process's start and stop.

``serve(phone, config)`` serves a phone until cancelled; ``make_app(phone)`` is the quart-trio app
alone, for programs that serve it themselves. Each is imported when it is first used: commands that only
look for a server need none of the web framework.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llcphone.server.app import make_app as make_app
    from llcphone.server.run import serve as serve
    from llcphone.server.run import serve_until_signal as serve_until_signal

_HOMES = {
    "make_app": "llcphone.server.app",
    "serve": "llcphone.server.run",
    "serve_until_signal": "llcphone.server.run",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llcphone.server' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
