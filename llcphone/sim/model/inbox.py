"""What the simulated server does with each client event.

Every method here is synchronous: an event and all its answers are one step. A refusal is an exception on
the exit from the handler and becomes one ``error`` event; nothing was changed before it.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.sim.model.check import Refused, short
from llcphone.sim.model.config import merged, pcm
from llcphone.sim.model.conversation import Item
from llcphone.sim.model.dialect import nest, nest_item
from llcphone.sim.model.hearing import Started, Stopped
from llcphone.sim.model.profile import OPENAI
from llcphone.sim.model.schema import MAX_APPEND_BYTES, Dialect, check_event
from llcphone.sim.model.xai import nest_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.sim.model.caller_audio import CallerAudio
    from llcphone.sim.model.responses import Responses
    from llcphone.sim.model.state import SessionState

Json = dict[str, Any]
MIN_COMMIT_MS = 100


@attrs.define(eq=False)
class Inbox:
    """The client's side of one session: its events and its audio."""

    session: SessionState
    audio: CallerAudio
    responses: Responses
    _buffered_from_ms: float = 0.0
    _turn_item_id: str = ""
    _turn_start_ms: int = 0
    _updated: bool = False
    _updates: list[tuple[float, Json]] = attrs.field(factory=list)
    _news: trio.Event = attrs.field(factory=trio.Event)

    def handle(self, event: Any) -> None:
        """Check one parsed client event and do what it asks."""
        try:
            if self.session.profile is not OPENAI and isinstance(event, dict):
                event = self.session.profile.check(event)
            check_event(event, self.session.dialect)
            _HANDLERS[event["type"]](self, event)
        except Refused as refusal:
            echo = event.get("event_id") if isinstance(event, dict) else None
            self.session.send(refusal.as_error(echo if isinstance(echo, str) else None))

    # Session ---------------------------------------------------------------------------------------------

    def _close(self, event: Json) -> None:
        self.session.close(1000)

    def _update(self, event: Json) -> None:
        delay_s = self.session.faults.ack_delay_s
        if delay_s is None:
            delay_s = self.session.pace.ack_delay_s
        if not delay_s and not self._updates:
            self._apply(event)
            return
        self._updates.append((trio.current_time() + delay_s, event))
        self._news.set()

    async def acknowledge(self) -> None:
        """Apply delayed updates in their order, each at its time. A task of the session."""
        while True:
            while self._updates:
                due, event = self._updates[0]
                await trio.sleep_until(due)
                del self._updates[0]
                try:
                    self._apply(event)
                except Refused as refusal:
                    self.session.send(refusal.as_error(event.get("event_id")))
            self._news = trio.Event()
            await self._news.wait()

    def _apply(self, event: Json) -> None:
        session = self.session
        faults = session.faults
        if isinstance(faults.refuse_update, dict):
            session.emit({"type": "error"} | faults.refuse_update)
            return
        if faults.refuse_update or (faults.refuse_later and self._updated):
            code = faults.refuse_update if isinstance(faults.refuse_update, str) else "invalid_value"
            raise Refused(code, "This session does not take the update.", "session")
        update = event["session"]
        if session.dialect is Dialect.FLAT:
            update = nest(update)
        if session.dialect is Dialect.XAI:
            update = nest_session(update)
        config = merged(session.config, update, has_spoken=session.has_spoken)
        if faults.wrong_format:
            for side in ("input", "output"):
                config["audio"][side]["format"] = pcm()
        self.audio.settings_change(config["audio"]["input"])
        session.config = config
        self._updated = True
        session.send({"type": "session.updated", "session": config})
        if faults.unasked_response and self.responses.active is None:
            faults.unasked_response -= 1
            self.responses.answer()

    # Audio -----------------------------------------------------------------------------------------------

    def _append(self, event: Json) -> None:
        try:
            audio = base64.b64decode(event["audio"], validate=True)
        except (binascii.Error, ValueError):
            text = "Invalid 'audio'. Expected base64-encoded audio bytes, but got something else."
            raise Refused("invalid_value", text, "audio") from None
        if len(audio) > MAX_APPEND_BYTES:
            raise Refused("invalid_value", "Audio chunks may be at most 15 MiB.", "audio")
        settings = self.audio.turn_detection
        for happened in self.audio.append(audio):
            assert settings is not None
            match happened:
                case Started(start_ms):
                    self._speech_started(start_ms, settings)
                case Stopped(end_ms):
                    self._speech_stopped(end_ms, settings)
        self._watch_idle()

    def _speech_started(self, start_ms: int, settings: Json) -> None:
        session = self.session
        self.audio.caller_spoke()
        self._turn_item_id, self._turn_start_ms = session.new_id("item"), start_ms
        kind = "input_audio_buffer.speech_started"
        session.send({"type": kind, "audio_start_ms": start_ms, "item_id": self._turn_item_id})
        if settings["interrupt_response"] and self.responses.active:
            self.responses.active.finish("cancelled", "turn_detected")

    def _speech_stopped(self, end_ms: int, settings: Json) -> None:
        kind = "input_audio_buffer.speech_stopped"
        self.session.send({"type": kind, "audio_end_ms": end_ms, "item_id": self._turn_item_id})
        self._commit(self._turn_item_id, self._turn_start_ms, end_ms)
        if settings["create_response"]:
            self.responses.answer()

    def _commit_by_hand(self, event: Json) -> None:
        buffered_ms = self.audio.received_ms - self._buffered_from_ms
        if buffered_ms < MIN_COMMIT_MS:
            text = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{MIN_COMMIT_MS}ms of audio, but buffer only has {buffered_ms:.2f}ms of audio."
            )
            raise Refused("input_audio_buffer_commit_empty", text)
        self._commit(self.session.new_id("item"), int(self._buffered_from_ms), int(self.audio.received_ms))
        self.audio.hearing.forget()

    def _clear(self, event: Json) -> None:
        self._buffered_from_ms = self.audio.received_ms
        self.audio.hearing.forget()
        self.session.send({"type": "input_audio_buffer.cleared"})

    def _commit(self, item_id: str, start_ms: int, end_ms: int) -> None:
        """The buffered audio becomes a caller item."""
        session = self.session
        item = Item(item_id, _caller_message(item_id), self.audio.format, generated_ms=end_ms - start_ms)
        item.audio += self.audio.between(start_ms, end_ms)
        self._buffered_from_ms = self.audio.received_ms
        before = session.conversation.add(item)
        kind = "input_audio_buffer.committed"
        session.send({"type": kind, "previous_item_id": before, "item_id": item_id})
        session.announce(item, before)
        if session.config["audio"]["input"]["transcription"]:
            words = session.reading.next_transcript()
            session.spawn(self._transcribe, item, words, name="sim model transcriber")

    async def _transcribe(self, item: Item, words: str) -> None:
        """The caller's words come later than the answer to them may begin."""
        await trio.sleep(self.session.pace.transcript_ms / 1000)
        item.body["content"][0]["transcript"] = words
        about = {"item_id": item.id, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        self.session.send({"type": f"{kind}.delta", "delta": words} | about)
        usage = {"type": "duration", "seconds": item.generated_ms / 1000}
        self.session.send({"type": f"{kind}.completed", "transcript": words, "usage": usage} | about)

    def _watch_idle(self) -> None:
        if self.responses.active or not self.audio.idle_time_is_over():
            return
        item_id = self.session.new_id("item")
        span = {"audio_start_ms": int(self._buffered_from_ms), "audio_end_ms": int(self.audio.received_ms)}
        kind = "input_audio_buffer.timeout_triggered"
        self.session.send({"type": kind, "item_id": item_id} | span)
        self._commit(item_id, span["audio_start_ms"], span["audio_end_ms"])
        self.responses.answer()

    # Conversation ----------------------------------------------------------------------------------------

    def _create_item(self, event: Json) -> None:
        session = self.session
        body = event["item"]
        if session.dialect is Dialect.FLAT:
            body = nest_item(body)
        if body["type"] == "function_call_output":
            session.conversation.expect_call(body["call_id"])
            if session.faults.longest_output is not None:
                short(session.faults.longest_output)(body["output"], "item.output")
        item_id = body.get("id") or session.new_id("item")
        item = Item(item_id, {"object": "realtime.item"} | body | {"id": item_id, "status": "completed"})
        session.announce(item, session.conversation.add(item, event.get("previous_item_id")))

    def _truncate(self, event: Json) -> None:
        where = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        try:
            self.session.conversation.truncate(**where)
        except Refused:
            if not self._takes_overlong(event["item_id"]):
                raise
        self.session.send({"type": "conversation.item.truncated"} | where)

    def _takes_overlong(self, item_id: str) -> bool:
        """A truncate is about to be refused: what it does all the same, and whether it is not refused."""
        what = self.session.unknowns.refused_truncate
        found = next((item for item in self.session.items if item.id == item_id and item.is_spoken), None)
        if found is not None and what == "changes":
            for part in found.body["content"]:
                part["transcript"] = ""
        if found is not None and what == "removes":
            self.session.conversation.delete(item_id)
        return found is not None and what == "accepts"

    def _delete(self, event: Json) -> None:
        self.session.conversation.delete(event["item_id"])
        self.session.send({"type": "conversation.item.deleted", "item_id": event["item_id"]})

    def _retrieve(self, event: Json) -> None:
        item = self.session.conversation.find(event["item_id"], "retrieve")
        self.session.send({"type": "conversation.item.retrieved", "item": item.render_with_audio()})

    # Responses -------------------------------------------------------------------------------------------

    def _create_response(self, event: Json) -> None:
        request = event.get("response") or {}
        if self.session.dialect is not Dialect.GA:
            request = nest(request)
        self.responses.start(request)

    def _cancel(self, event: Json) -> None:
        wanted = event.get("response_id")
        for response in self.responses.all:
            if response.is_active and (response.id == wanted if wanted else response.in_conversation):
                response.finish("cancelled", "client_cancelled")
                return
        text = "Cancellation failed: no active response found"
        raise Refused("response_cancel_not_active", text)


def _caller_message(item_id: str) -> Json:
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }


_HANDLERS: dict[str, Callable[[Inbox, Json], None]] = {
    "session.update": Inbox._update,
    "session.close": Inbox._close,
    "input_audio_buffer.append": Inbox._append,
    "session.input_audio_buffer.append": Inbox._append,
    "input_audio_buffer.commit": Inbox._commit_by_hand,
    "input_audio_buffer.clear": Inbox._clear,
    "conversation.item.create": Inbox._create_item,
    "conversation.item.truncate": Inbox._truncate,
    "conversation.item.delete": Inbox._delete,
    "conversation.item.retrieve": Inbox._retrieve,
    "response.create": Inbox._create_response,
    "response.cancel": Inbox._cancel,
}
