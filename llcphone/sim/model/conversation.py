"""The conversation as the server keeps it: items, their audio, and what each refusal says.

For every agent item the ledger knows how much audio was generated and how much of it still counts after a
truncate, which is what a barge-in test wants to assert. Refusals: docs/vendor-facts.md, Barge-in; the
texts about unknown and duplicate ids are those of live errors quoted in public code.
"""

from __future__ import annotations

import base64
from typing import Any

import attrs

from llcphone.sim.model.check import Refused
from llcphone.sim.model.hearing import BYTES_PER_MS

Json = dict[str, Any]


@attrs.define(eq=False)
class Item:
    """One item of the conversation."""

    id: str
    body: Json
    """The item as it goes over the wire in GA shape, without its audio."""
    form: str = "audio/pcm"
    """Format of ``audio``: ``audio/pcmu``, ``audio/pcm`` or ``audio/pcma``."""
    audio: bytearray = attrs.field(factory=bytearray, repr=False)
    """What the caller said or the model generated, less what a truncate took away."""
    response_id: str | None = None
    generated_ms: int = 0
    """All audio sent for this item, truncated or not."""
    truncated_ms: int | None = None
    """Where a truncate cut it; None when it was never cut."""
    deleted: bool = False

    @property
    def type(self) -> str:
        """``message``, ``function_call`` or ``function_call_output``."""
        return str(self.body["type"])

    @property
    def role(self) -> str | None:
        """``user``, ``assistant``, ``system``; None for function calls."""
        return self.body.get("role")

    @property
    def status(self) -> str:
        """``in_progress``, ``completed`` or ``incomplete``."""
        return str(self.body["status"])

    @property
    def text(self) -> str:
        """Its words: text and transcripts of its parts, or a call's arguments or output."""
        if "content" in self.body:
            parts = self.body["content"]
            return "".join(part.get("text") or part.get("transcript") or "" for part in parts)
        return str(self.body.get("arguments") or self.body.get("output") or "")

    @property
    def kept_ms(self) -> int:
        """Audio the model still believes in."""
        return self.generated_ms if self.truncated_ms is None else self.truncated_ms

    @property
    def is_spoken(self) -> bool:
        """An agent item with audio: the only kind that can be truncated."""
        return self.role == "assistant" and self.generated_ms > 0

    def add_audio(self, audio: bytes, *, keep: bool) -> None:
        """Account for generated or heard audio."""
        self.generated_ms += len(audio) // BYTES_PER_MS[self.form]
        if keep:
            self.audio += audio

    def render(self) -> Json:
        """The wire form; content is copied because it keeps growing."""
        if "content" not in self.body:
            return dict(self.body)
        return self.body | {"content": [dict(part) for part in self.body["content"]]}

    def render_with_audio(self) -> Json:
        """The wire form of ``conversation.item.retrieved``."""
        whole = self.render()
        for part in whole.get("content", ()):
            if part["type"].endswith("_audio"):
                part["audio"] = base64.b64encode(self.audio).decode()
        return whole


@attrs.define(eq=False)
class Conversation:
    """Items in order; the past of deleted ones is kept for assertions."""

    items: list[Item] = attrs.field(factory=list)
    deleted: list[Item] = attrs.field(factory=list)

    def find(self, item_id: str, verb: str) -> Item:
        """The item, or the refusal to ``truncate``, ``delete`` or ``retrieve`` it."""
        for item in self.items:
            if item.id == item_id:
                return item
        doing = verb.removesuffix("e") + "ing"
        text = f"Error {doing} item: the item with id '{item_id}' does not exist."
        raise Refused(f"item_{verb}_invalid_item_id", text, "item_id")

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Insert an item at the end, after another, or first (``root``); the id before it."""
        if any(known.id == item.id for known in self.items):
            text = f"Error adding item: an item with id '{item.id}' already exists."
            raise Refused("item_create_duplicate_item_id", text)
        place = self._place(after)
        self.items.insert(place, item)
        return self.items[place - 1].id if place else None

    def _place(self, after: str | None) -> int:
        if after is None:
            return len(self.items)
        if after == "root":
            return 0
        for index, item in enumerate(self.items):
            if item.id == after:
                return index + 1
        text = f"Error adding item: the previous item with id '{after}' does not exist."
        raise Refused("item_create_invalid_previous_item_id", text, "previous_item_id")

    def before(self, item: Item) -> str | None:
        """The id of the item before this one; None for the first and for one deleted meanwhile."""
        place = self.items.index(item) if item in self.items else 0
        return self.items[place - 1].id if place else None

    def expect_call(self, call_id: str) -> None:
        """A function's output must answer a call that was made."""
        if not any(
            item.body.get("call_id") == call_id for item in self.items if item.type == "function_call"
        ):
            text = f"Error adding item: no function call with call_id '{call_id}' exists."
            raise Refused("invalid_value", text, "item.call_id")

    def delete(self, item_id: str) -> None:
        item = self.find(item_id, "delete")
        item.deleted = True
        self.items.remove(item)
        self.deleted.append(item)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut an agent item where the caller stopped hearing it; its transcript goes (SDK docstring)."""
        item = self.find(item_id, "truncate")
        if not item.is_spoken:
            raise Refused("unsupported_content_type", "Only model output audio messages can be truncated")
        if content_index:
            raise Refused("invalid_value", f"Invalid content index: {content_index}.", "content_index")
        if audio_end_ms > item.kept_ms:
            text = f"Audio content of {item.kept_ms}ms is already shorter than {audio_end_ms}ms"
            raise Refused("invalid_value", text, "audio_end_ms")
        item.truncated_ms = audio_end_ms
        del item.audio[audio_end_ms * BYTES_PER_MS[item.form] :]
        for part in item.body["content"]:
            part["transcript"] = ""
