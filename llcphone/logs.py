"""Logs of the llcphone command: structlog renders what the library logs through ``logging``.

A library that configures logging would take it from its host program, so this is called by the
command line only. Fields travel as ``extra``; a last processor masks what looks like a telephone
number or a key, should one ever get that far.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from llcphone.config import LogConfig

_NUMBER = re.compile(r"\+?\d[\d ().-]{7,}\d")
_KEY = re.compile(r"\b(?:sk-[\w-]{6,}|(?:AC|SK)[0-9a-f]{32}|Bearer\s+\S+)")
_PLAIN = frozenset({"timestamp", "level", "logger"})


def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide telephone numbers (but their last two digits) and keys in every text of a log line."""
    for name, value in event.items():
        if isinstance(value, str) and name not in _PLAIN:
            event[name] = _NUMBER.sub(_last_two, _KEY.sub("«key»", value))
    return event


def _last_two(match: re.Match[str]) -> str:
    return f"«number …{match.group()[-2:]}»"


def configure_logs(config: LogConfig) -> None:
    """Send the library's logs to stderr, as text for people or as JSON lines."""
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
    ]
    last: Any
    if config.format == "json":
        last = structlog.processors.JSONRenderer()
        shared.append(structlog.processors.format_exc_info)
    else:
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=cast("Any", shared),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger("llcphone")
    root.handlers[:] = [handler]
    root.setLevel(config.level.upper())
    root.propagate = False
