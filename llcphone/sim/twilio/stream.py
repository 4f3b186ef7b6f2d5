"""One bidirectional media stream: the WebSocket that Twilio opens to the server.

The upgrade carries the headers that were captured in the field: a signature over the wss form of the URL, no
Origin, no extensions. How a stream ends is decided once, by ``finish``: the first reason wins, and only
``run`` acts on it. Every send is shielded and has a deadline, so a hang-up never cuts a frame in half; a
server that takes nothing for that long is lost.
"""

from __future__ import annotations

import base64
import contextlib
import math
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import attrs
import trio
from h11 import ProtocolError
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream

from llcphone.sim.twilio import messages as messages
from llcphone.sim.twilio.http import signature_header
from llcphone.sim.twilio.playout import SAMPLES_PER_MS, Playout
from llcphone.sim.twilio.record import CallFaults, CallLog, Received, StreamRecord
from llcphone.sim.twilio.unknowns import Unknowns
from llcphone.sim.twilio.wire import StreamFailed, StreamTarget, Wire, open_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.sim.twilio.mouth import Mouth

HANDSHAKE_TIMEOUT_S = 10.0
SEND_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0

QUIET = b"\xff\x7f\xfe\x7e"
"""Bytes of digital silence and of comfort noise."""

_CLOSE_ERRORS = {1006: 31903, 1002: 31924, 1003: 31924, 1007: 31924, 1009: 31924}
"""Broken pipe, and protocol errors (1002 to 1009 also when this simulator found the server at fault)."""


class Ending(Enum):
    STOP = "call over or updated"
    DROP = "connection reset"
    SERVER = "closed by the server"
    LOST = "server takes no data"


@attrs.define(eq=False)
class MediaStream:
    """A stream from the dialling of its socket to its end."""

    target: StreamTarget
    auth_token: str
    parameters: Mapping[str, str]
    faults: CallFaults
    log: CallLog
    playout: Playout
    record: StreamRecord
    writer: messages.StreamWriter
    unknowns: Unknowns = attrs.field(factory=Unknowns)
    relay: Callable[[str], None] | None = None
    """Given each message of the server that Twilio takes, as it came: to a handset."""
    ending: Ending | None = None
    _opening: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _open: bool = False
    _over: trio.Event = attrs.field(factory=trio.Event)
    _wire: Wire | None = None
    _socket: WebSocketConnection | None = None
    _chunk: int = 0
    _left: bool = False

    async def run(self, mouth: Mouth) -> None:
        """Open the stream, carry the call, return when it has ended. Never raises for the server's sake."""
        with self._opening:  # finish() cancels it while the stream is not open yet
            try:
                await trio.sleep(self.faults.connect_delay_s)
                self._wire = await open_wire(self.target.place)
                async with self._wire, trio.open_nursery() as reading:
                    self._socket = await self._upgrade(self._wire, reading)
                    await self._carry(self._wire, self._socket, mouth)
                    reading.cancel_scope.cancel()
            except* StreamFailed as failures:
                for failure in _leaves(failures):
                    self.log.error(failure.code, failure.text)
            except* ConnectionRejected as rejections:
                for rejection in _leaves(rejections):
                    self.log.error(31920, f"HTTP {rejection.status_code} instead of an upgrade")
            except* ProtocolError:  # trio-websocket passes it through when the answer is no handshake at all
                self.log.error(31920, "not a WebSocket handshake")

    @property
    def is_open(self) -> bool:
        return self._open and self.record.ended_at_ms is None

    def finish(self, ending: Ending) -> None:
        """End the stream; the first reason given is the one that counts."""
        if self.ending is None:
            self.ending = ending
            self._over.set()
            if not self._open:
                self._opening.cancel()

    def leave(self, mouth: Mouth) -> None:
        """The call continues elsewhere: this stream neither listens nor speaks, though its socket is open."""
        self._left = True
        mouth.stop_listener(self)
        self.playout.stop(self.log.now)
        self.log.show("stream", state="ended")
        self.log.changed.unpark_all()

    def stop_reading(self) -> None:
        """Read nothing more; send on."""
        if self._wire is not None:
            self._wire.deaf = True

    def read_on(self) -> None:
        """Read again, first what has come meanwhile."""
        if self._wire is not None:
            self._wire.deaf = False

    def stop_sending(self) -> None:
        """Send nothing more, no mark either; read on."""
        if self._wire is not None:
            self._wire.mute = True

    def vanish(self) -> None:
        """Neither read nor send any more, with the socket open."""
        if self._wire is not None:
            self._wire.vanish()

    async def hear_frame(self, payload: str, frame_ms: int) -> None:
        """Send one frame of the caller, unless it is lost or suppressed: then only its number is used up."""
        stream_ms = self._chunk * frame_ms
        self._chunk += 1
        gap_at_s = self.faults.gap_after_s
        if gap_at_s is not None and 0 <= stream_ms - round(gap_at_s * 1000) < round(self.faults.gap_s * 1000):
            return
        if self.faults.silence_suppressed and not base64.b64decode(payload).strip(QUIET):
            return
        self.record.frames_sent += 1
        timestamp_ms = self.faults.first_timestamp_ms + stream_ms
        text = self.writer.media(self._chunk, timestamp_ms, payload)
        if self._wire is None or not self._wire.send_now(text):
            await self._send(text)

    async def hear_digit(self, digit: str) -> None:
        await self._send(self.writer.digit(digit))

    async def _upgrade(self, wire: Wire, reading: trio.Nursery) -> WebSocketConnection:
        signature = signature_header(self.faults.stream_signature, self.auth_token, self._signed(), {})
        headers = [(b"User-Agent", b"Twilio.TmeWs/1.0")]
        headers += [(name.lower().encode(), value.encode()) for name, value in signature.items()]
        try:
            with trio.fail_after(HANDSHAKE_TIMEOUT_S):
                socket = await wrap_client_stream(
                    reading,
                    cast("trio.SocketStream", wire),  # any trio.abc.Stream will do
                    self.target.host_header,
                    self.target.resource,
                    extra_headers=headers,
                    message_queue_size=64,
                    receive_buffer_size=65536,
                )
        except trio.TooSlowError:
            raise StreamFailed(31901, "no answer to the upgrade in time") from None
        wire.upgraded = True
        return socket

    def _signed(self) -> str:
        signs = self.unknowns.signs
        return self.target.signed_url if signs is None else signs(self.target.signed_url)

    async def _carry(self, wire: Wire, socket: WebSocketConnection, mouth: Mouth) -> None:
        """The stream's life between upgrade and close."""
        self._open = True
        try:
            await self._send(self.writer.connected())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear_server, wire, socket, name="sim stream reader")
                if not self.faults.no_start:
                    await self._start()
                    nursery.start_soon(self._echo_marks, name="sim stream marks")
                    nursery.start_soon(self._listen_to, mouth, name="sim stream mouth")
                await self._over.wait()
                nursery.cancel_scope.cancel()
            mouth.stop_listener(self)
            await self._close(wire, socket)
        finally:
            mouth.stop_listener(self)
            if not self._left:
                self.playout.stop(self.log.now)
                self.log.show("stream", state="ended")
            self.record.ended_at_ms = self.log.now_ms
            self.log.event("stream ended")

    async def _start(self) -> None:
        call_sid = "CA" + "0" * 32 if self.faults.wrong_call_sid else self.writer.call_sid
        await self._send(self.writer.start(self.parameters, call_sid))
        self.record.started_at_ms = self.log.now_ms
        self.log.event("stream started")
        self.log.show("stream", state="started")

    async def _listen_to(self, mouth: Mouth) -> None:
        await trio.sleep(self.faults.first_frame_delay_s)
        mouth.listener = self

    async def _hear_server(self, wire: Wire, socket: WebSocketConnection) -> None:
        try:
            while True:
                message = await socket.get_message()
                await wire.hearing()
                if self.unknowns.longest_message is not None and len(message) > self.unknowns.longest_message:
                    self.log.error(31924, "a message is too long")
                    self.finish(Ending.DROP)
                    return
                self._take(message)
                self.log.changed.unpark_all()
        except ConnectionClosed as closed:
            if self.ending is None:
                code = closed.reason.code if closed.reason is not None else 1006
                self.record.close_code = code
                error = _CLOSE_ERRORS.get(code, 31921)  # which Twilio logs even for a clean close
                self.log.error(error, f"the server closed the stream with {code}")
                self.finish(Ending.SERVER)

    def _take(self, message: str | bytes) -> None:
        try:
            said = messages.read(message, self.record.stream_sid)
        except messages.Ignored as ignored:
            self._note_received("ignored")
            return self.log.error_once(ignored.code, ignored.text, self.record)
        if self._left:
            return
        if self.relay is not None:
            self.relay(str(message))
        now = self.log.now
        match said:
            case messages.Media():
                audio = said.media.payload
                self._note_received("media", audio_ms=len(audio) / SAMPLES_PER_MS)
                if not self.playout.play(audio, now):
                    self.log.error_once(31931, "more than 10 minutes of audio queued", self.record)
            case messages.Mark():
                self._note_received("mark", mark=said.mark.name)
                self.playout.mark(said.mark.name, now)
            case messages.Clear():
                self._note_received("clear")
                self.playout.clear(now)
                self.log.event("agent audio cleared")

    def _note_received(self, event: str, *, mark: str = "", audio_ms: float = 0.0) -> None:
        self.record.messages[event] += 1
        self.log.received.append(Received(self.log.now_ms, event, mark, audio_ms))

    async def _echo_marks(self) -> None:
        """Echo each mark when the audio before it has been played."""
        while not self._left:
            for name in self.playout.due_marks(self.log.now):
                await trio.sleep(self.unknowns.mark_delay_s)
                await self._send(self.writer.mark(name))
            due = self.playout.next_mark_at
            await self.log.wait_change(math.inf if due is None else self.log.time_of(due))

    async def _close(self, wire: Wire, socket: WebSocketConnection) -> None:
        match self.ending:
            case Ending.DROP | Ending.LOST:
                self.log.error(31903, "the stream broke off")
                wire.reset()
            case Ending.STOP if not wire.mute:
                with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                    if self.record.started_at_ms is not None and not self.faults.no_stop:
                        await self._send(self.writer.stop())
                    await socket.aclose()

    async def _send(self, text: str) -> None:
        assert self._socket is not None
        with trio.move_on_after(SEND_TIMEOUT_S, shield=True) as scope, contextlib.suppress(ConnectionClosed):
            await self._socket.send_message(text)  # that it is closed, the reader notices too
        if scope.cancelled_caught:
            self.finish(Ending.LOST)


def _leaves(group: BaseExceptionGroup[Any]) -> list[Any]:
    """The single exceptions of a group of groups."""
    found: list[Any] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
