"""What the caller has heard so far.

Twilio plays what we send in order, in real time, from its own buffer. It echoes a mark when the
audio before it has been played *or dropped by a clear* (twilio.com/docs/voice/media-streams/
websocket-messages), so an echo proves playout only for a mark we still wait for: ``interrupt``
forgets the rest. OpenAI refuses a truncate longer than the audio it generated, so what we claim
as heard never exceeds what was sent, and that never what was generated.

The ledger is one queue of spans. A span is a stretch of one item (or of pad or filler), at most
``mark_every_ms`` long, that ends in its own mark. The last span may still be open: its audio is
out, its mark follows when it is full, when its item ends, or when another item begins. Heard =
everything before the last trusted echo, plus the time since, never past the next mark (or past
what an open span holds). Pads and fillers take their place in the queue, so they take time, but
no item is ever credited with them.

Before the media stream starts nothing can be sent: audio is held, and flushed by ``start``.
"""

from __future__ import annotations

from collections import deque
from itertools import takewhile

from llcphone.audio import BYTES_PER_MS, payload_bytes, silence_payload, split_payload
from llcphone.engine.parts.sent_audio import Cut, Interruption, ItemAudio, Kind, Span
from llcphone.twilio.media import Mark, Media, PhoneMessage

_KEPT_ITEMS = 64
"""Settled items remembered: enough for any late event, small for an hour's call."""


class Playout:
    """The ledger of agent audio on its way to the caller."""

    def __init__(self, *, mark_every_ms: int) -> None:
        self._limit_ms = mark_every_ms
        self._limit = mark_every_ms * BYTES_PER_MS
        self._spans: deque[Span] = deque()
        self._open: Span | None = None
        self._held: list[tuple[Kind, str, str, bytes]] = []
        self._items: dict[str, ItemAudio] = {}
        self._cut_responses: dict[str, None] = {}
        self._head_ms = 0
        self._marks = 0
        self.started = False
        self.ever_sent = False
        """Some of the agent's own audio went to the phone."""
        self.stray_echoes = 0

    # -- sending ----------------------------------------------------------------------------

    def start(self, now_ms: int, *, pad_ms: int = 0) -> list[PhoneMessage]:
        """The media stream is up: the pad, then all audio held so far."""
        self.started = True
        out: list[PhoneMessage] = []
        if pad_ms:
            self._send(Kind.PAD, "", "", silence_payload(pad_ms), now_ms, out)
        held, self._held = self._held, []
        for kind, response_id, item_id, payload in held:
            self._send(kind, response_id, item_id, payload, now_ms, out)
        # Audio that was complete before the stream began has no "done" to come.
        if self._open is not None and self._item_is_done(self._open.item_id):
            self._close_open(out)
        return out

    def add(self, response_id: str, item_id: str, payload: bytes, now_ms: int) -> list[PhoneMessage]:
        """A delta of an item: what to send for it (nothing while the stream has not started)."""
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = ItemAudio(item_id, response_id)
            if len(self._items) > _KEPT_ITEMS:
                self._forget_one()
        item.generated += payload_bytes(payload)
        out: list[PhoneMessage] = []
        self._queue(Kind.ITEM, response_id, item_id, payload, now_ms, out)
        return out

    def leave_out(self, item_id: str, payload: bytes) -> None:
        """A pause of an item that is not sent: so it counts as never generated."""
        if (item := self._items.get(item_id)) is not None:
            item.left_out.append((item.generated, payload_bytes(payload)))

    def began_quiet(self, item_id: str) -> None:
        """All audio of this item so far is silence before its first sound."""
        self._items[item_id].lead_in = self._items[item_id].generated

    def voice_in(self, span: Span) -> int:
        """How much of a span that was heard, in bytes, is not the silence before its item's first sound."""
        item = self._items.get(span.item_id)
        return span.size if item is None else min(span.size, max(0, item.heard - item.lead_in))

    def filler(self, payload: bytes, now_ms: int) -> list[PhoneMessage]:
        """The system's own audio: it takes its time in the queue, and no item is credited."""
        out: list[PhoneMessage] = []
        self._queue(Kind.FILLER, "", "", payload, now_ms, out)
        self._close_open(out)
        return out

    def finish_item(self, item_id: str) -> list[PhoneMessage]:
        """No more audio of this item: the mark that ends its last span."""
        out: list[PhoneMessage] = []
        if (item := self._items.get(item_id)) is not None:
            item.done = True
        if self._open is not None and self._open.item_id == item_id:
            self._close_open(out)
        return out

    def finish_response(self, response_id: str) -> list[PhoneMessage]:
        """No more audio of any item of this response."""
        out: list[PhoneMessage] = []
        for item in list(self._items.values()):
            if item.response_id == response_id:
                out += self.finish_item(item.item_id)
        return out

    # -- hearing ----------------------------------------------------------------------------

    def echoed(self, name: str, now_ms: int) -> list[Span]:
        """Twilio returned a mark: the spans it proves heard, none when it is not trusted."""
        spans = self._spans
        if not any(span.mark == name and span is not self._open for span in spans):
            self.stray_echoes += 1
            return []
        settled: list[Span] = []
        while True:  # an echo proves every span before it, should one have been lost
            span = spans.popleft()
            settled.append(span)
            if span.kind is Kind.ITEM:
                self._items[span.item_id].heard += span.size
            if span.mark == name:
                break
        if spans:
            self._head_ms = max(now_ms, spans[0].sent_ms)
        return settled

    def heard_ms(self, item_id: str, now_ms: int) -> int:
        """Milliseconds of this item that were heard."""
        item = self._items.get(item_id)
        return self._heard(item, now_ms) // BYTES_PER_MS if item is not None else 0

    def heard_response_ms(self, response_id: str, now_ms: int) -> int:
        """Milliseconds of all items of a response that were heard."""
        return sum(
            self._heard(item, now_ms) // BYTES_PER_MS
            for item in self._items.values()
            if item.response_id == response_id
        )

    def interrupt(self, now_ms: int) -> Interruption | None:
        """The caller took the floor: forget what is queued, say which items were cut where.

        Returns None when nothing was unheard: then it is an ordinary turn.
        """
        cuts: list[Cut] = []
        for item in self._items.values():
            if item.cut:
                continue
            heard = self._heard(item, now_ms)
            if item.done and heard >= item.generated:
                continue
            cuts.append(
                Cut(item.item_id, item.response_id, heard // BYTES_PER_MS, item.generated // BYTES_PER_MS)
            )
            item.heard = heard
            item.cut = True
            self.cut_off(item.response_id)
        clear = bool(self._spans)
        if not cuts and not clear and not self._held:
            return None
        for span in self._spans:  # fully heard by the clock, their echoes no longer awaited
            if span.kind is Kind.ITEM and not (item := self._items[span.item_id]).cut:
                item.heard = item.generated
        self._spans.clear()
        self._held.clear()
        self._open = None
        return Interruption(tuple(cuts), clear)

    def drop_fillers(self) -> bool:
        """Forget what is queued if it is the system's own; True when Twilio holds audio to clear."""
        if not self._spans or any(span.kind is not Kind.FILLER for span in self._spans):
            return False
        self._spans.clear()
        self._open = None
        return True

    def cut_off(self, response_id: str) -> None:
        """Let nothing more of this response be sent."""
        self._cut_responses[response_id] = None
        if len(self._cut_responses) > _KEPT_ITEMS:
            del self._cut_responses[next(iter(self._cut_responses))]

    def is_cut_off(self, response_id: str) -> bool:
        """Whether late deltas of this response are to be dropped."""
        return response_id in self._cut_responses

    def items_of(self, response_id: str) -> list[ItemAudio]:
        """Every item of a response that has audio."""
        return [item for item in self._items.values() if item.response_id == response_id]

    def item(self, item_id: str) -> ItemAudio | None:
        """The ledger entry of an item."""
        return self._items.get(item_id)

    @property
    def holding(self) -> bool:
        """Audio waits for the media stream to start."""
        return bool(self._held)

    @property
    def silent(self) -> bool:
        """Nothing is queued, held or being played."""
        return not self._spans and not self._held

    @property
    def ends_ms(self) -> int:
        """When the queue will have been played, by the clock; 0 when it is empty."""
        sizes = sum(span.size for span in self._spans)
        return self._head_ms + sizes // BYTES_PER_MS if self._spans else 0

    def lead_ms(self, now_ms: int) -> int:
        """How long what is added now waits to be heard; while the stream has not started, what is held."""
        if self.started:
            return max(0, self.ends_ms - now_ms)
        return sum(payload_bytes(payload) for _, _, _, payload in self._held) // BYTES_PER_MS

    @property
    def voice_ends_ms(self) -> int:
        """The same, of the agent's own audio: fillers behind it do not count."""
        behind = list(takewhile(lambda span: span.kind is Kind.FILLER, reversed(self._spans)))
        behind_ms = sum(span.size for span in behind) // BYTES_PER_MS
        return self.ends_ms - behind_ms if len(behind) < len(self._spans) else 0

    # -- the queue --------------------------------------------------------------------------

    def _queue(
        self, kind: Kind, response_id: str, item_id: str, payload: bytes, now_ms: int, out: list[PhoneMessage]
    ) -> None:
        if self.started:
            self._send(kind, response_id, item_id, payload, now_ms, out)
        else:
            self._held.append((kind, response_id, item_id, payload))

    def _send(
        self, kind: Kind, response_id: str, item_id: str, payload: bytes, now_ms: int, out: list[PhoneMessage]
    ) -> None:
        size = payload_bytes(payload)
        if not size:
            return
        if kind is Kind.ITEM:
            self.ever_sent = True
            self._items[item_id].sent += size
        span = self._open
        if span is not None and (span.item_id != item_id or span.size + size > self._limit):
            self._close_open(out)
            span = None
        if span is not None:
            self._mind_underrun(span, now_ms)
            span.size += size
            out.append(Media(payload))
        else:
            pieces = split_payload(payload, self._limit_ms) if size > self._limit else [(payload, size)]
            for piece, length in pieces:
                if self._open is not None:
                    self._close_open(out)
                self._open_span(kind, response_id, item_id, length, now_ms)
                out.append(Media(piece))
        if self._open is not None and (self._open.size >= self._limit or kind is not Kind.ITEM):
            self._close_open(out)

    def _open_span(self, kind: Kind, response_id: str, item_id: str, size: int, now_ms: int) -> None:
        self._marks += 1
        span = Span(f"p{self._marks}", kind, response_id, item_id, now_ms, size)
        if not self._spans:
            self._head_ms = now_ms
        self._spans.append(span)
        self._open = span

    def _close_open(self, out: list[PhoneMessage]) -> None:
        if self._open is not None:
            out.append(Mark(self._open.mark))
            self._open = None

    def _mind_underrun(self, span: Span, now_ms: int) -> None:
        """The open span ran dry before this audio came: its clock starts again from what it held."""
        if span is self._spans[0] and (now_ms - self._head_ms) * BYTES_PER_MS > span.size:
            self._head_ms = now_ms - span.size // BYTES_PER_MS

    def _heard(self, item: ItemAudio, now_ms: int) -> int:
        heard = item.heard
        if not item.cut and self._spans and self._spans[0].item_id == item.item_id:
            head = self._spans[0]
            heard += min(max(0, now_ms - self._head_ms) * BYTES_PER_MS, head.size)
        return heard

    def _item_is_done(self, item_id: str) -> bool:
        return (item := self._items.get(item_id)) is None or item.done

    def _forget_one(self) -> None:
        for item in self._items.values():
            if item.cut or (item.done and item.heard >= item.generated):
                del self._items[item.item_id]
                return
