"""How calls are shown to a person, and written for a program."""

from __future__ import annotations

import datetime
import os
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from llcphone.telemetry.redaction import masked_number

if TYPE_CHECKING:
    from llcphone.store.models import CallDetails, CallSummary


def console() -> Console:
    """As wide as the terminal; a pipe gets whole lines."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)


def row_of(call: CallSummary, *, whole: bool) -> tuple[str, ...]:
    other = call.dialled if call.direction == "outbound" else call.caller
    return (
        call.id,
        when(call.ended_at),
        "out" if call.direction == "outbound" else "in",
        other if whole else masked_number(other),
        call.agent,
        f"{call.duration_s:.0f} s",
        str(call.turns),
        call.reason if call.answered else f"{call.reason} (not answered)",
        money(call.cost_usd),
    )


def facts_of(details: CallDetails, *, whole: bool) -> list[tuple[str, str]]:
    """What is to be said of a call, name by name."""
    call = details.summary

    def shown(number: str) -> str:
        return (number if whole else masked_number(number)) or "unknown"

    facts = [
        ("call", f"{call.id} {call.call_sid}".rstrip()),
        ("when", f"{when(call.born_at)}, {call.duration_s:.1f} s"),
        ("numbers", f"{call.direction}, from {shown(call.caller)} to {shown(call.dialled)}"),
        ("agent", call.agent),
        ("outcome", call.reason + ("" if call.answered else ", not answered")),
        ("turns", f"{call.turns}, interrupted {call.barge_ins} times"),
        ("cost", money(call.cost_usd)),
        (
            "words",
            f"{len(details.lines)} lines; llcphone transcript {call.id}" if details.lines else "none kept",
        ),
    ]
    optional = {"about": call.context, "trouble": call.failure, "goes on": call.resumed_from}
    optional["left for"] = details.record.get("transferred_to", "")
    facts += [(name, text) for name, text in optional.items() if text]
    for tool in details.tools:
        outcome = "unanswered" if tool.ok is None else f"{'ok' if tool.ok else 'failed'} in {tool.took_ms} ms"
        facts.append(("tool", f"{tool.at_ms / 1000:.1f} s  {tool.name}: {outcome}"))
    for message in details.messages:
        who = f"{message.name}, {shown(message.number)}, for {message.for_whom or 'anybody'}"
        facts.append(("message", f"{who} ({message.urgency}): {message.reason}"))
    for note in details.notes:
        facts.append(("note", f"{note.text}" + (f" [{note.outcome}]" if note.outcome else "")))
    return facts


def print_lines(details: CallDetails) -> None:
    for line in details.lines:
        at_s = (line["at_ms"] or 0) / 1000
        emit(f"{at_s:7.1f} s  {line['speaker'] + ':':<8} {line['text']}\n")


def when(seconds: float) -> str:
    """A moment, by this machine's clock, with its zone."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")


def money(usd: float | None) -> str:
    """An amount, or that it is not known."""
    return "-" if usd is None else f"${usd:.4f}"


def or_dash(value: object) -> str:
    """A value, or that there is none."""
    return "-" if value is None else str(value)


def as_json_text(data: object) -> str:
    return msgspec.json.encode(data).decode()


def print_json(data: object) -> None:
    emit(as_json_text(data) + "\n")


def emit(text: str) -> None:
    """Write to standard output; its reader may stop early, as ``head`` does."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        sys.exit(0)
