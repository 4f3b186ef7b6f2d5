"""Builds the transcript: whose words, in which order, and how much of them was heard.

``history`` keeps the lines; ``playout`` knows what was heard. Nothing here decides what happens next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.audio import BYTES_PER_MS
from llcphone.engine import notes
from llcphone.engine.parts.history import CalledTool, History, Line
from llcphone.engine.resumed import Speaker
from llcphone.engine.words import cut_words, letters, said_within
from llcphone.realtime import events as model_events

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.commands import Command
    from llcphone.engine.parts.playout import Playout
    from llcphone.engine.parts.sent_audio import Cut


_TYPICAL_PACE = 0.018
"""Latin letters of quick speech per millisecond; ``engine.words`` has what other scripts take."""
_MARGIN = 1.2
"""Rather a word lost that was never spoken than one repeated that was heard."""


class TranscriptBuilder:
    """Keeps the history in step with what was said and heard."""

    def __init__(self, playout: Playout, *, speed: float = 1.0) -> None:
        """``speed``: how fast the agent is to speak."""
        self._playout = playout
        self._typical_pace = _TYPICAL_PACE * speed
        self.history = History()
        self._estimated: set[str] = set()
        """Lines that were cut by pace: they say nothing about it."""

    def caller_words(self, event: model_events.CallerTranscript, now_ms: int, out: list[Command]) -> None:
        """Words of the caller, whenever the transcriber is done with them."""
        line = self.history.place(event.item_id, Speaker.CALLER, now_ms)
        if event.final:
            line.text, line.final = event.text, True
            out.append(notes.CallerSaid(event.item_id, event.text))
        else:
            line.text += event.text

    def caller_fragment(self, item_id: str, text: str, said_ms: int) -> None:
        """Words of the caller with the time at which they were said: their line stands where it was said."""
        line = self.history.place_at(item_id, Speaker.CALLER, said_ms)
        if not line.final:
            line.text += text

    def agent_words(
        self,
        event: model_events.TranscriptDelta | model_events.TranscriptDone,
        now_ms: int,
        out: list[Command],
    ) -> None:
        """Words of the agent; they run ahead of the voice."""
        if self._playout.is_cut_off(event.response_id) and self.history.get(event.item_id) is None:
            return
        line = self.history.place(event.item_id, Speaker.AGENT, now_ms)
        if isinstance(event, model_events.TranscriptDelta) and event.end_ms is not None:
            self._place_words(line, event.text, event.end_ms)
        if isinstance(event, model_events.TranscriptDone):
            line.text, line.final = event.text, True
            out.append(notes.AgentSaid(event.item_id, event.text))
        elif not line.final:
            line.text += event.text

    def _place_words(self, line: Line, text: str, end_ms: int) -> None:
        if not line.fragments and (audio := self._playout.item(line.item_id)) is not None:
            line.left_out = audio.left_out
        line.fragments.append((text, end_ms))

    def text_words(self, event: model_events.TextDelta, now_ms: int) -> None:
        """Words that the agent writes where it should speak."""
        if self._playout.is_cut_off(event.response_id) and self.history.get(event.item_id) is None:
            return  # they were not for the caller
        line = self.history.place(event.item_id, Speaker.AGENT, now_ms)
        line.written = True
        if not line.final:
            line.text += event.text

    def written(self, item: model_events.Item, now_ms: int) -> bool:
        """A message is complete and has no sound: whether it has words, which then stand as written."""
        line = self.history.get(item.id)
        if not (text := item.text or (line.text if line is not None else "")):
            self.history.drop(item.id)
            return False
        line = self.history.place(item.id, Speaker.AGENT, now_ms)
        line.text, line.final, line.written, line.heard_ms = text, True, True, 0
        return True

    def cut(self, cut: Cut, now_ms: int) -> Line:
        """The caller stopped hearing this item here."""
        line = self.history.place(cut.item_id, Speaker.AGENT, now_ms)
        line.generated_ms, line.heard_ms = cut.generated_ms, cut.heard_ms
        return line

    def heard_so_far(self, line: Line, heard_ms: int) -> str:
        """The words of an agent's line that the caller has heard after ``heard_ms`` of its audio.

        Where the line is complete, by the share of its audio; else by pace, as in ``session_lost``.
        """
        if line.heard_ms is not None:
            return line.heard_text()
        audio = self._playout.item(line.item_id)
        whole_ms = line.generated_ms if audio is None else audio.generated // BYTES_PER_MS
        complete = audio is None or audio.done
        if heard_ms >= whole_ms and complete:
            return line.text if heard_ms else ""
        if line.fragments:
            return line.spoken_until(heard_ms)
        end = len(line.text) * heard_ms // max(1, whole_ms)
        if not (complete and line.final):
            end = min(end, said_within(line.text, round(heard_ms * self._pace())))
        return cut_words(line.text, end)

    def tool_called(self, call_id: str, name: str, arguments: str, now_ms: int) -> None:
        """A tool is being run."""
        self.history.place(call_id, Speaker.TOOL, now_ms).tool = CalledTool(name, arguments)

    def tool_answered(self, call_id: str, output: str, *, promised: bool = False) -> None:
        """A tool's answer went to the model."""
        line = self.history.get(call_id)
        if line is not None and line.tool is not None:
            line.tool.output, line.tool.promised = output, promised

    def session_lost(self) -> None:
        """The model is gone, perhaps in the middle of an answer: keep the words that have become sound.

        Words run ahead of the voice and nothing aligns them, so they are cut by the pace at which
        this agent has spoken so far or was asked to speak, whichever is faster, with a margin. A line
        without a sound goes: it was not heard.
        """
        pace = _MARGIN * self._pace()
        for line in self.history.lines():
            if line.speaker is not Speaker.AGENT or line.generated_ms or (line.written and line.final):
                continue
            audio = self._playout.item(line.item_id)
            if audio is None or not audio.generated:
                self.history.drop(line.item_id)
                continue
            line.generated_ms = audio.generated // BYTES_PER_MS
            if line.fragments:
                line.text = line.spoken_until(line.generated_ms)
            elif not audio.done:
                self._estimated.add(line.item_id)
                line.text = cut_words(line.text, said_within(line.text, round(line.generated_ms * pace)))
            line.final = True

    def _pace(self) -> float:
        """Latin letters per millisecond."""
        final = [each for each in self.history.lines() if each.final and each.item_id not in self._estimated]
        whole = [(line.text, self._whole_ms(line)) for line in final]
        spoken_ms = sum(ms for _, ms in whole)
        said = sum(letters(text) for text, ms in whole if ms)
        return max(self._typical_pace, said / spoken_ms if spoken_ms else 0.0)

    def _whole_ms(self, line: Line) -> int:
        """How long a line is that was spoken to its end; 0 for any other."""
        audio = self._playout.item(line.item_id)
        if line.generated_ms or audio is None or not audio.done:
            return line.generated_ms
        return audio.generated // BYTES_PER_MS

    def lengths(self, response_id: str, items: Iterable[model_events.Item], now_ms: int) -> None:
        """A response is over: how long each of its messages is that has become sound and was not cut."""
        texts = {item.id: item.text for item in items}
        for audio in self._playout.items_of(response_id):
            if audio.cut:
                continue
            line = self.history.place(audio.item_id, Speaker.AGENT, now_ms)
            line.generated_ms = audio.generated // BYTES_PER_MS
            line.text, line.written = line.text or texts.get(audio.item_id, ""), False
