"""Which call the running task belongs to, for log lines of all code in it: tools, hooks, libraries."""

from __future__ import annotations

from contextvars import ContextVar

current_call: ContextVar[str] = ContextVar("current_call", default="")
"""Our id of the call; empty outside of calls. Trio hands it on to the tasks that a call starts."""
