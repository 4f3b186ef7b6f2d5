"""One call as a page shows it, with as much as this session may see.

    GET  /api/calls/<id>            the call, and its record; of a live call: the record so far
    POST /api/calls/<id>/reveal     {"what": "words" | "numbers" | "audio"}: shown for a minute, and logged

What may not be seen is masked here, not in the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from llcphone.console.access import REVEALED_S, What
from llcphone.console.audio import recording_of
from llcphone.console.requests import read_body, session_of
from llcphone.errors import StoreUnavailable
from llcphone.runtime.log_lines import logger
from llcphone.server.api.calls import find_call, without_record
from llcphone.server.api.errors import ApiError, json_response
from llcphone.telemetry.redaction import masked_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quart import Blueprint, Response

    from llcphone.call.call import Call
    from llcphone.console.access import Session
    from llcphone.console.console import Console
    from llcphone.engine.status import SpokenLine
    from llcphone.phone.phone import Phone
    from llcphone.server.api.calls import CallIndex
    from llcphone.server.api.models import CallDetail
    from llcphone.store.models import CallDetails

_WORDS = ("text", "heard", "unheard", "reason", "for_whom", "name")
"""Fields of lines, notes and messages that hold what somebody said."""

log = logger("llcphone.console")


class Reveal(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /api/calls/<id>/reveal``."""

    what: What


def add_calls(blueprint: Blueprint, console: Console, phone: Phone, index: CallIndex) -> None:
    """Add these routes; ``index`` has the calls of this phone."""

    @blueprint.get("/calls/<call_id>")
    async def call(call_id: str) -> Response:
        return json_response(await call_page(phone, index, call_id, session_of()))

    @blueprint.post("/calls/<call_id>/reveal")
    async def reveal(call_id: str) -> Response:
        session, what = session_of(), (await read_body(Reveal)).what
        if getattr(console.config, what) == "never":
            why = f"this console never shows {what}"
            raise ApiError(403, "never_shown", why, f'set console.{what} = "ask"')
        await _detail(phone, index, call_id)
        log.info("console: revealed", extra={"session": session.id, "shown_call": call_id, "what": what})
        session.reveal(call_id, what)
        return json_response({"until_s": REVEALED_S})


async def call_page(phone: Phone, index: CallIndex, call_id: str, session: Session) -> dict[str, Any]:
    """All that the page of a call shows.

    Raises:
        ApiError: there is no such call, or the database does not answer.
    """
    while True:
        live, detail = index.live(call_id), await _detail(phone, index, call_id)
        kept = await _kept(phone, call_id if live is None else live.resumed_from)
        recording = await recording_of(phone, call_id)
        if index.live(call_id) is live:
            break
        # It ended, or began another run, while the database was read: then what was read is of two moments.
    runs = [] if kept is None else [*kept.runs]
    if live is not None:
        kept = None  # that was the run before it
    words, numbers = (session.revealed(call_id, "words"), session.revealed(call_id, "numbers"))
    # A call that has ended may still be among the live ones for a moment.
    record = detail.record if live is None or detail.state == "ended" else _record_so_far(live)
    return {
        "call": without_record(detail if numbers else detail.masked()),
        "record": record if record is None or words else _without_words(record),
        "lines": [] if live is None else [_line(line, words) for line in live.run.lines()],
        "messages": [] if kept is None else [_shown(each, words, numbers) for each in kept.messages],
        "notes": [] if kept is None else [_shown(each, words, numbers) for each in kept.notes],
        "runs": list(dict.fromkeys([*runs, call_id])),
        "transfers": [] if live is None else list(phone.config.transfers.destinations),
        "audio": None if recording is None else recording.as_dict(),
        "shown": {"words": words, "numbers": numbers, "audio": session.revealed(call_id, "audio")},
    }


async def _detail(phone: Phone, index: CallIndex, call_id: str) -> CallDetail:
    if (detail := await find_call(index, phone.store, call_id)) is None:
        fix = "look for it in the list of calls; set store.url to keep calls for longer"
        raise ApiError(404, "no_such_call", "there is no such call, or it is no longer kept", fix)
    return detail


async def _kept(phone: Phone, call_id: str) -> CallDetails | None:
    """What the store has of it beside the record; nothing while it does not answer."""
    try:
        return None if phone.store is None or not call_id else await phone.store.call(call_id)
    except StoreUnavailable:
        return None


def _record_so_far(call: Call) -> dict[str, Any]:
    record = call.run.record_so_far()  # not copied: calls speak meanwhile
    return {field.name: getattr(record, field.name) for field in attrs.fields(type(record))} | {
        "reason": None
    }


def _without_words(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "transcript": [_wordless(line) for line in record.get("transcript") or ()]}


def _wordless(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "" if name in _WORDS else value for name, value in fields.items()}


def _line(line: SpokenLine, words: bool) -> dict[str, Any]:
    """A line of a live call, as `heard` of the live socket continues it."""
    fields = {
        "item": line.item_id,
        "speaker": line.speaker.value,
        "at_ms": line.at_ms,
        "text": line.text,
        "heard": line.heard,
        "cut": not line.sounds and len(line.heard) < len(line.text),
    }
    return fields if words else _wordless(fields)


def _shown(thing: attrs.AttrsInstance, words: bool, numbers: bool) -> dict[str, Any]:
    """A message or note of the call."""
    fields = {name: value for name, value in attrs.asdict(thing).items() if name not in ("key", "call_id")}
    if not numbers and fields.get("number"):
        fields["number"] = masked_number(fields["number"])
    return fields if words else _wordless(fields)
