"""Logs of the llcphone command: structlog renders what the library logs through ``logging``.

A library that configures logging would take it from its host program, so this is called by the
command line only. Fields travel as ``extra``. Every line of a call has its id, also lines of tools and of
libraries that know nothing of calls. The last processors mask (``redaction``): no line, of ours or of
others, holds a number, a key or a configured secret, and no traceback holds the text of an error.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, cast

import structlog

from llcphone.call.log_context import current_call
from llcphone.telemetry.redaction import Mask, places

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from types import TracebackType

    from llcphone.config import LogConfig

    Event = MutableMapping[str, Any]

_PLAIN = frozenset({"timestamp", "level", "logger", "exception", "_record", "_from_structlog"})


def configure_logs(config: LogConfig, secrets: Iterable[str] = ()) -> None:
    """Send logs to stderr, as text or as JSON lines, without these secrets (``redaction.secrets_of``)."""
    mask = Mask(secrets)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(config, mask))
    ours = logging.getLogger("llcphone")
    ours.handlers[:] = [handler]
    ours.setLevel(config.level.upper())
    ours.propagate = False
    others = logging.getLogger()  # libraries, and the agent's own module
    others.handlers[:] = [handler]
    others.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _last_words(mask)


def formatter(config: LogConfig, mask: Mask) -> logging.Formatter:
    """What makes a line of a log record."""
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _without_another_formatters_text,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_call,
        _tell_places,
        _Masked(mask),
    ]
    last: Any
    if config.format == "json":
        last = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=cast("Any", shared),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )


def _without_another_formatters_text(_logger: Any, _method: str, event: Event) -> Event:
    for name in ("message", "asctime"):  # left at the record by a handler before us; no field of the line
        event.pop(name, None)
    return event


def _add_call(_logger: Any, _method: str, event: Event) -> Event:
    if call_id := current_call.get():
        event.setdefault("call", call_id)
    return event


def _tell_places(_logger: Any, _method: str, event: Event) -> Event:
    """In place of a traceback: an error's text may hold what a caller said or sent."""
    exc_info = event.pop("exc_info", None)
    if isinstance(exc_info, tuple) and exc_info[1] is not None:
        event["exception"] = places(exc_info[1])
    return event


class _Masked:
    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        for name, value in event.items():
            if name not in _PLAIN:
                event[name] = self._mask.value(value)
        return event


def _last_words(mask: Mask) -> Any:
    """What is logged of an error that ends the process: everything, but masked."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(mask.text("".join(traceback.format_exception(kind, error, trace))))

    return tell
