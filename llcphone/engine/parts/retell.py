"""Informs the model of what the caller heard: on its own session after a cut, and on the session that
replaces it.

The API cannot resume a lost session (docs/vendor-facts.md, Session set-up). So a fresh one gets the
conversation item by item: the agent's words as far as they were heard, as ``output_text`` because the API
takes no assistant audio; tool calls with their results; the caller's words or, where there are none,
their audio while it is kept. Fillers are the system's words, and the model never gets them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from llcphone.engine.resumed import Speaker
from llcphone.realtime.messages import (
    AssistantText,
    DeleteItem,
    ModelMessage,
    SystemText,
    ToolCall,
    ToolOutput,
    Truncate,
    UserAudio,
    UserText,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from llcphone.engine.call_setup import RetellingTexts
    from llcphone.engine.parts.caller_audio import CallerAudioBuffer
    from llcphone.engine.parts.history import Line
    from llcphone.engine.parts.sent_audio import Cut

_LONGEST_ID = 32
"""Ids that we give may not be longer; OpenAI's own have 26 characters, other vendors' may have more."""


def told_id(call_id: str) -> str:
    """The id that a tool call has on a fresh session; a long one is shortened, always to the same."""
    if len(call_id) <= _LONGEST_ID:
        return call_id
    digest = hashlib.sha256(call_id.encode()).hexdigest()[:12]
    return f"{call_id[: _LONGEST_ID - 13]}-{digest}"


def any_wordless(lines: Iterable[Line], caller_audio: CallerAudioBuffer) -> bool:
    """Whether the caller said something of which neither words nor audio are kept."""
    callers = (line for line in lines if line.speaker is Speaker.CALLER)
    return any(not line.heard_text() and not caller_audio.has(line.item_id) for line in callers)


def last_turns(lines: list[Line], turns: int, since_ms: int | None) -> list[Line]:
    """The last ``turns`` turns of the caller with all around them, and everything since ``since_ms``."""
    begins = [at for at, line in enumerate(lines) if line.speaker is Speaker.CALLER]
    first = begins[-turns] if len(begins) >= turns else 0
    if since_ms is not None:
        first = next((at for at, line in enumerate(lines[:first]) if line.at_ms >= since_ms), first)
    return lines[first:]


def retold(
    lines: Iterable[Line], caller_audio: CallerAudioBuffer, texts: RetellingTexts, summary: str = ""
) -> list[ModelMessage]:
    """The conversation so far, as the items of a fresh session; its summary goes before them."""
    items: list[ModelMessage] = []
    wordless = False
    for line in lines:
        text = line.heard_text()
        match line.speaker:
            case Speaker.TOOL if line.tool is not None:
                call_id = told_id(line.item_id)
                items.append(ToolCall(call_id, line.tool.name, line.tool.arguments))
                if line.tool.output is not None:
                    items.append(ToolOutput(call_id, line.tool.output))
            case Speaker.AGENT if text:
                items.append(AssistantText(text, line.item_id if len(line.item_id) <= _LONGEST_ID else ""))
            case Speaker.CALLER if text:
                items.append(UserText(text))
            case Speaker.OPERATOR:
                items.append(SystemText(text))
            case Speaker.CALLER if audio := caller_audio.turn(line.item_id):
                items.append(UserAudio(audio))
            case Speaker.CALLER:
                wordless = True
            case _:
                pass
    if summary:
        return [SystemText(f"{texts.summary}\n\n{summary}"), *items]
    return [SystemText(texts.line_missing), *items] if wordless else items


def broke_off(lines: Iterable[Line], items: Set[str], texts: RetellingTexts) -> str:
    """The cue for a fresh session about an answer that broke off: these items, as far as they were heard."""
    any_words = any(line.item_id in items and line.heard_text() for line in lines)
    return texts.line_cut if any_words else texts.line_cut_at_once


def cut_at(cut: Cut, text: str, told: Set[str]) -> list[ModelMessage]:
    """The messages that inform the model where the caller stopped hearing an item.

    Args:
        cut: the item and how much of it was heard.
        text: the words that were heard.
        told: items that this session knows as text only; text cannot be truncated.
    """
    if cut.heard_ms > 0 and cut.item_id not in told:
        return [Truncate(cut.item_id, cut.heard_ms)]
    heard = [AssistantText(text)] if cut.heard_ms > 0 and text else []
    return [DeleteItem(cut.item_id), *heard]
