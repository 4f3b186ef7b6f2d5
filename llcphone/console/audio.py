"""``GET /api/calls/<id>/audio``: the recording of a call, whole or the range of bytes that is asked for.

Only for a session to which the audio of this call is shown (``console.audio``).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from quart import Blueprint, Response, request

from llcphone.console.requests import session_of
from llcphone.recorder.folder import path_of
from llcphone.recorder.reading import PIECE, ByteRange, OutOfRange, look_at, range_of
from llcphone.server.api.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llcphone.console.console import Console
    from llcphone.phone.phone import Phone
    from llcphone.recorder.reading import RecordingFile

in_thread = trio.to_thread.run_sync

_TYPE = "audio/wav"
_PIECE_S = 10.0
"""For one piece: more than a peer may take none (``server.http.STALL_TIMEOUT_S``)."""


def add_audio(blueprint: Blueprint, console: Console) -> None:
    """The route of recordings."""

    @blueprint.get("/calls/<call_id>/audio")
    async def audio(call_id: str) -> Response:
        if not session_of().revealed(call_id, "audio"):
            why, fix = "recordings are hidden", 'show this one: POST /api/calls/<id>/reveal {"what": "audio"}'
            raise ApiError(403, "hidden", why, fix)
        file = None if console.phone is None else await recording_of(console.phone, call_id)
        if file is None:
            fix = "set records.audio_dir to record calls; records.audio_days says how long they are kept"
            raise ApiError(404, "no_recording", "there is no recording of this call", fix)
        return _answer(file)


async def recording_of(phone: Phone, call_id: str) -> RecordingFile | None:
    """The recording of a call, live or over; None: there is none, or it cannot be read."""
    folder = phone.config.records.audio_dir
    path = path_of(Path(folder), call_id) if folder else None
    with suppress(OSError):
        return None if path is None else await in_thread(look_at, path)
    return None


def _answer(file: RecordingFile) -> Response:
    headers = {"ETag": file.etag, "Accept-Ranges": "bytes"}
    asked = request.headers.get("Range", "")
    if request.headers.get("If-Range", file.etag) != file.etag:
        asked = ""
    try:
        part = range_of(asked, file.size)
    except OutOfRange:
        headers["Content-Range"] = f"bytes */{file.size}"
        return Response(b"", 416, headers, content_type=_TYPE)
    if part is not None:
        headers["Content-Range"] = part.content_range
    given = part or ByteRange(0, file.size - 1, file.size)
    headers["Content-Length"] = str(given.size)
    pieces = _pieces(file, given, request.scope["state"]["llcphone.exchange"].extend)
    return Response(pieces, 200 if part is None else 206, headers, content_type=_TYPE)


async def _pieces(
    file: RecordingFile, part: ByteRange, extend: Callable[[float], None]
) -> AsyncIterator[bytes]:
    """The bytes of a part, read in a thread; an hour takes longer than an exchange may."""
    for first in range(part.first, part.last + 1, PIECE):
        piece = b""
        with suppress(OSError):
            piece = await in_thread(file.read, first, part.last)
        if not piece:  # less than was promised, so the browser knows that it is not whole
            return
        extend(_PIECE_S)
        yield piece
