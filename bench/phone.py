"""A fake Twilio for one call: webhook, media stream, 50 frames a second, a playout clock, marks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from bench.audio import FRAME_MS, caller_tail, label, read_label
from bench.loop import Conn, connect, now

if TYPE_CHECKING:
    from bench.samples import Samples

_HEAD = (
    b'{"event":"media","sequenceNumber":"%d",'
    b'"media":{"track":"inbound","chunk":"%d","timestamp":"%d","payload":"'
)
_TAIL = caller_tail() + b'"},"streamSid":"%b"}'
_STOP = (
    b'{"event":"stop","sequenceNumber":"%d","streamSid":"%b","stop":{"accountSid":"AC%032d","callSid":"%b"}}'
)


class FakePhone:
    def __init__(self, load: Samples, call: int) -> None:
        self.load, self.call = load, call
        self.call_sid = f"CA{call:032d}"
        self.stream_sid = f"MZ{call:032d}"
        self.sent_at: list[float] = []
        """When each caller frame left, by its number."""
        self.received_chars = 0
        self.streaming = False
        self.failed = False
        self.first_audio_ms: float | None = None
        """From ``start``."""
        self.answered_audio_ms: float | None = None
        """From the stream's dial: a bridge that lets the upgrade wait for its model cannot hide that here."""
        self._dialled_at = self._started_at = 0.0
        self._next_s = 0.0
        self._conn: Conn | None = None
        self._port = load.bridge_port(call)
        self._path = ""
        self._tail = _TAIL % self.stream_sid.encode()
        self._play_end = 0.0
        self._marks: dict[str, None] = {}
        self._sequence = 1
        self._hung_up = False

    # -- webhook ----------------------------------------------------------------------------

    def ring(self) -> None:
        """POST the voice webhook."""
        form = (
            f"AccountSid=AC{7:032d}&ApiVersion=2010-04-01&CallSid={self.call_sid}&CallStatus=ringing"
            "&Direction=inbound&From=%2B15552223333&To=%2B15550001111"
        )
        self._conn = connect(self.load.loop, self._port, self)
        self._conn.send(
            f"POST /twiml HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\nConnection: close\r\n\r\n{form}".encode()
        )

    def on_head(self, conn: Conn, head: bytes, rest: bytes) -> None:
        """Answers: the webhook's (whose body comes as ``rest``, or later), and the upgrade's."""
        if self._path:
            conn.is_websocket = head.startswith(b"HTTP/1.1 101")
            if conn.is_websocket:
                self._start()
            else:
                self._fail()
            return
        stream = re.search(rb'<Stream[^>]*url="wss?://[^/"]+(/[^"]*)"', rest)
        if stream is None:
            if b"</Response>" in rest or not head.startswith(b"HTTP/1.1 200"):
                self._fail()
            else:
                conn._in = head + b"\r\n\r\n" + rest  # the body is still coming
            return
        self._path = stream[1].decode()
        self._conn = None
        conn.close()
        self.load.loop.at(now() + self.load.scenario.ring_s, self._join)

    def _join(self) -> None:
        self._dialled_at = now()
        self._conn = connect(self.load.loop, self._port, self)
        self._conn.send(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    # -- the stream -------------------------------------------------------------------------

    def _start(self) -> None:
        start = {
            "event": "start",
            "sequenceNumber": "1",
            "start": {
                "accountSid": f"AC{7:032d}",
                "streamSid": self.stream_sid,
                "callSid": self.call_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": {},
            },
            "streamSid": self.stream_sid,
        }
        conn = self._conn
        assert conn is not None
        conn.text(b'{"event":"connected","protocol":"Call","version":"1.0.0"}')
        conn.text(json.dumps(start, separators=(",", ":")).encode())
        self._started_at = self._next_s = now()
        self.streaming = True
        self._frame()

    def _frame(self) -> None:
        if not self.streaming:
            return
        number = len(self.sent_at)
        sequence = self._sequence = self._sequence + 1
        text = _HEAD % (sequence, number + 1, number * FRAME_MS) + label(b"C", self.call, number) + self._tail
        self.sent_at.append(now())
        self._conn.text(text)  # type: ignore[union-attr]
        self._next_s += FRAME_MS / 1000
        self.load.loop.at(self._next_s, self._frame)

    def on_text(self, conn: Conn, text: bytes, when: float) -> None:
        at = text.find(b'"payload":')
        if at >= 0:
            at = text.index(b'"', at + 10) + 1
            payload = text[at : text.index(b'"', at)].rstrip(b"=")
            self._play(payload, when)
            return
        message = json.loads(text)
        if message["event"] == "mark":
            name = message["mark"]["name"]
            self._marks[name] = None
            self.load.loop.at(max(self._play_end, when), self._echo, name)
        elif message["event"] == "clear":
            self._play_end = when
            for name in list(self._marks):
                self._echo(name)

    def _play(self, payload: bytes, when: float) -> None:
        self._play_end = max(self._play_end, when) + len(payload) * 3 // 4 / 8000
        self.received_chars += len(payload)
        if self.first_audio_ms is None:
            self.first_audio_ms = (when - self._started_at) * 1000
            self.answered_audio_ms = (when - self._dialled_at) * 1000
        if payload[-16:-15] == b"E" and payload[-15:].isdigit():  # else a stored prompt of the bridge
            call, number = read_label(payload[-16:])
            self.load.delta_arrived(self.call, call, number, when)

    def _echo(self, name: str) -> None:
        if name in self._marks and self.streaming:
            del self._marks[name]
            self._sequence += 1
            mark = {
                "event": "mark",
                "sequenceNumber": str(self._sequence),
                "streamSid": self.stream_sid,
                "mark": {"name": name},
            }
            self._conn.text(json.dumps(mark, separators=(",", ":")).encode())  # type: ignore[union-attr]

    # -- the end ----------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Say ``stop`` and close, as Twilio does when the caller hangs up."""
        self._hung_up = True
        if self.streaming and self._conn is not None:
            self.streaming = False
            sids = (self._sequence + 1, self.stream_sid.encode(), 7, self.call_sid.encode())
            self._conn.text(_STOP % sids)
        if self._conn is not None:
            self._conn.close()

    def on_end(self, conn: Conn) -> None:
        """The connection is gone; unless the webhook is done or we hung up, that is a failure."""
        if conn is self._conn and not self._hung_up:
            self._fail()

    def _fail(self) -> None:
        self.failed = True
        self.streaming = False
