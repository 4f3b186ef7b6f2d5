"""A fake Realtime API: both dialects, turns on a schedule, answers in bursts or in real time."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from typing import TYPE_CHECKING, Any

from bench.audio import base64_chars, delta, read_label
from bench.loop import Conn, now

if TYPE_CHECKING:
    from bench.samples import Samples

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
USER_S, PAUSE_S, SPEECH_MS, SPEED = 3.0, 0.5, 4000, 5.0
"""The caller speaks, hears the answer of that length (it arrives five times faster), and pauses."""
SMALLEST_MS, LARGEST_MS = 240, 500
SLICE_MS = 20


class FakeModel:
    def __init__(self, load: Samples, number: int) -> None:
        self.load, self.number = load, number
        self.random = random.Random(number)
        self.call: int | None = None
        self.ga = False
        self.alive = True
        self.deltas_at: list[float] = []
        """When each delta left, by its number."""
        self.sent_chars = 0
        self.frames = 0
        """Caller frames received."""
        self.out_of_order = 0
        self._conn: Conn | None = None
        self._expected = 0
        self._started = False
        self._configured = False
        self._answering = False
        self._answers = 0
        self._left_ms = 0
        self._next_s = 0.0

    # -- handshake --------------------------------------------------------------------------

    def on_head(self, conn: Conn, head: bytes, rest: bytes) -> None:
        """The upgrade request, answered after the scenario's delay."""
        self._conn = conn
        self.ga = b"openai-beta:" not in head.lower()
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + _GUID).digest())
        self.load.loop.at(now() + self.load.scenario.handshake_s, self._accept, accept)

    def _accept(self, accept: bytes) -> None:
        conn = self._conn
        assert conn is not None
        conn.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        conn.is_websocket = True
        self._say("session.created", session={"id": f"sess_{self.number}", "object": "realtime.session"})

    # -- what the bridge says ---------------------------------------------------------------

    def on_text(self, conn: Conn, text: bytes, when: float) -> None:
        """Audio first: fifty of these a second."""
        if (at := text.find(b'"audio":')) >= 0 and b"input_audio_buffer.append" in text[: at + 60]:
            at = text.index(b'"', at + 8) + 1
            self._frame(text[at : at + 16], when)
            return
        message = json.loads(text)
        match message["type"]:
            case "session.update":
                session = {"id": f"sess_{self.number}", "object": "realtime.session", **message["session"]}
                self._later(self.load.scenario.configure_s, self._updated, session)
            case "response.create":
                if not self._answering and not (message.get("response") or {}).get("conversation"):
                    self._started = True
                    self._later(self.load.scenario.think_s, self._answer)
            case "conversation.item.create":
                self._say("conversation.item.added" if self.ga else "conversation.item.created", item={
                    "id": f"item_c{self.number}", "object": "realtime.item", "status": "completed",
                    **message["item"],
                })  # fmt: skip

    def _frame(self, text: bytes, when: float) -> None:
        call, number = read_label(text)
        if self.call is None:
            self.call = call
            self.load.model_of[call] = self
            self._expected = number
        self.frames += 1
        if number != self._expected or call != self.call:
            self.out_of_order += 1
        self._expected = number + 1
        self.load.frame_arrived(call, number, when)
        if self._configured and not self._started and self.load.scenario.turns:
            self._started = True
            self._later(self.random.random() * 2 if self.load.scenario.bursts else 0, self._caller_speaks)

    # -- what the model says ----------------------------------------------------------------

    def _updated(self, session: dict[str, Any]) -> None:
        self._configured = True
        self._say("session.updated", session=session)

    def _caller_speaks(self) -> None:
        at_ms = self.frames * 20
        self._say("input_audio_buffer.speech_started", audio_start_ms=at_ms, item_id=self._item("u"))
        self._later(USER_S if self.load.scenario.bursts else 0.1, self._caller_stops)

    def _caller_stops(self) -> None:
        item = self._item("u")
        self._say("input_audio_buffer.speech_stopped", audio_end_ms=self.frames * 20, item_id=item)
        self._say("input_audio_buffer.committed", previous_item_id=None, item_id=item)
        self._later(self.load.scenario.think_s, self._answer)

    def _answer(self) -> None:
        self._answering = True
        self._answers += 1
        item = {"id": self._item("a"), "object": "realtime.item", "type": "message", "status": "in_progress"}
        item |= {"role": "assistant", "content": []}
        self._say("response.created", response=self._response("in_progress"))
        self._say("response.output_item.added", response_id=self._id(), output_index=0, item=item)
        if self.call is None:
            self.call = self.load.call_without_frames()
            self.load.model_of[self.call] = self
        self._left_ms = SPEECH_MS if self.load.scenario.bursts else 10**9
        self._next_s = now()
        self._first_s = self._next_s
        self._delta()

    def _delta(self) -> None:
        if not self.alive or self.load.quiet:
            return
        if self._left_ms <= 0:
            self._finish()
            return
        ms = SLICE_MS
        if self.load.scenario.bursts:
            ms = min(self.random.randrange(SMALLEST_MS, LARGEST_MS + 1, 20), self._left_ms)
        number = len(self.deltas_at)
        kind = b"output_audio" if self.ga else b"audio"
        head = b'{"type":"response.%b.delta","event_id":"event_%012d","response_id":"%b","item_id":"%b",'
        text = head % (kind, number, self._id().encode(), self._item("a").encode())
        text += b'"output_index":0,"content_index":0,"delta":"' + delta(self.call or 0, number, ms) + b'"}'
        self.sent_chars += base64_chars(ms)
        self.deltas_at.append(now())
        self._conn.text(text)  # type: ignore[union-attr]
        if self.load.scenario.bursts:
            self._about_item(kind.decode() + "_transcript.delta", delta=" found")
        self._left_ms -= ms
        self._next_s += ms / 1000 / (SPEED if self.load.scenario.bursts else 1)
        self.load.loop.at(self._next_s, self._delta)

    def _finish(self) -> None:
        kind = "output_audio" if self.ga else "audio"
        item = {"id": self._item("a"), "object": "realtime.item", "type": "message", "status": "completed"}
        item |= {"role": "assistant", "content": []}
        self._about_item(kind + ".done")
        self._about_item(kind + "_transcript.done", transcript="Here is what I found.")
        self._say("response.output_item.done", response_id=self._id(), output_index=0, item=item)
        self._say("response.done", response=self._response("completed"))
        self._answering = False
        if self.load.scenario.turns:
            heard = self._first_s + SPEECH_MS / 1000 + PAUSE_S
            self.load.loop.at(max(heard, now()), self._caller_speaks)

    def _response(self, status: str) -> dict[str, Any]:
        usage = {"total_tokens": 253, "input_tokens": 132, "output_tokens": 121}
        return {
            "id": self._id(), "object": "realtime.response", "status": status, "output": [],
            "conversation_id": f"conv_{self.number}", "usage": usage if status == "completed" else None,
        }  # fmt: skip

    def _id(self) -> str:
        return f"resp_{self.number}_{self._answers}"

    def _item(self, kind: str) -> str:
        return f"item_{kind}_{self.number}_{self._answers}"

    def _about_item(self, kind: str, **fields: Any) -> None:
        ids = {"response_id": self._id(), "item_id": self._item("a"), "output_index": 0, "content_index": 0}
        self._say("response." + kind, **ids, **fields)

    def _say(self, kind: str, **fields: Any) -> None:
        if self.alive and self._conn is not None:
            event = {"type": kind, "event_id": f"event_{self.number}", **fields}
            self._conn.text(json.dumps(event, separators=(",", ":")).encode())

    def _later(self, seconds: float, function: Any, *args: Any) -> None:
        self.load.loop.at(now() + seconds, function, *args)

    def drop(self) -> None:
        if self._conn is not None:
            self._conn.close()

    def on_end(self, conn: Conn) -> None:
        self.alive = False
