"""One output item while the model generates it: a spoken or written message, or a function call.

Opening, every delta and closing send their events in the vendor's order. What ``.done`` events
repeat is exactly what the deltas before them said, also when the item is cut short.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.sim.model.conversation import Item

if TYPE_CHECKING:
    from llcphone.sim.model.script import CallTool
    from llcphone.sim.model.state import SessionState

Json = dict[str, Any]


@attrs.define(eq=False)
class OutputItem:
    """The open item of a response."""

    session: SessionState = attrs.field(repr=False)
    response_id: str
    index: int
    """Its place among the items of the response."""
    body: Json
    """Type and its own fields; id, status and the rest are added here."""
    format: str
    is_spoken: bool
    """False for text, whatever the session asks for."""
    in_conversation: bool
    item: Item = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        item_id = self.session.new_id("item")
        head: Json = {"id": item_id, "object": "realtime.item", "status": "in_progress"}
        self.item = Item(item_id, head | self.body, self.format, response_id=self.response_id)

    def announce(self) -> None:
        """The events that open it."""
        self._send("response.output_item.added", item=self.item.render())
        if self.in_conversation:
            before = self.session.conversation.add(self.item)
            kind = "conversation.item.added"
            self.session.send({"type": kind, "previous_item_id": before, "item": self.item.render()})

    def open_part(self) -> None:
        """Begin the one content part of a message."""
        if self.is_spoken:
            content, part = {"type": "output_audio", "transcript": ""}, {"type": "audio", "transcript": ""}
        else:
            content, part = {"type": "output_text", "text": ""}, {"type": "text", "text": ""}
        self.item.body["content"].append(content)
        self._part("response.content_part.added", part=part)

    def add(self, text: str, audio: bytes) -> None:
        """A piece of a message: its words go before its sound."""
        content = self.item.body["content"][0]
        if text:
            content["transcript" if self.is_spoken else "text"] += text
            kind = "output_audio_transcript" if self.is_spoken else "output_text"
            self._part(f"response.{kind}.delta", delta=text)
        if audio:
            self.item.add_audio(audio, keep=self.session.keep_audio)
            self._part("response.output_audio.delta", delta=base64.b64encode(audio).decode())

    def add_arguments(self, call: CallTool) -> None:
        """All arguments of a function call."""
        self.item.body["arguments"] = call.raw_arguments
        about = {"item_id": self.item.id, "call_id": self.item.body["call_id"], "delta": call.raw_arguments}
        self._send("response.function_call_arguments.delta", **about)

    def close(self, status: str) -> None:
        """Every ``.done`` this item owes."""
        self.item.body["status"] = status
        words = self.item.text
        if self.item.type == "function_call":
            about = {key: self.item.body[key] for key in ("call_id", "name", "arguments")}
            self._send("response.function_call_arguments.done", item_id=self.item.id, **about)
        elif self.is_spoken:
            self._part("response.output_audio.done")
            self._part("response.output_audio_transcript.done", transcript=words)
            self._part("response.content_part.done", part={"type": "audio", "transcript": words})
        else:
            self._part("response.output_text.done", text=words)
            self._part("response.content_part.done", part={"type": "text", "text": words})
        if self.in_conversation:
            before = self.session.conversation.before(self.item)
            kind = "conversation.item.done"
            self.session.send({"type": kind, "previous_item_id": before, "item": self.item.render()})
        self._send("response.output_item.done", item=self.item.render())

    def _part(self, kind: str, **fields: Any) -> None:
        self._send(kind, item_id=self.item.id, content_index=0, **fields)

    def _send(self, kind: str, **fields: Any) -> None:
        where = {"type": kind, "response_id": self.response_id, "output_index": self.index}
        self.session.send(where | fields)
