"""The conversation so far, as the opening of a Live session takes it.

It takes messages of text, at most 128 of them and 8,192 tokens together. The newest are kept. Tool calls
have no form of their own there, so a developer message says what was called and what came of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.engine.resumed import Speaker
from llcphone.live.tokens import INPUT_MESSAGES, INPUT_TOKENS, estimated_tokens, fitting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.call_setup import RetellingTexts
    from llcphone.engine.parts.history import Line

_USER, _ASSISTANT, _DEVELOPER = "user", "assistant", "developer"


def told(lines: Iterable[Line], texts: RetellingTexts) -> list[dict[str, Any]]:
    """The messages, oldest first; none of a call in which nothing was said."""
    messages: list[tuple[str, str]] = []
    wordless = False
    for line in lines:
        text = line.heard_text()
        match line.speaker:
            case Speaker.TOOL if line.tool is not None:
                messages.append((_DEVELOPER, result(line.tool.name, line.tool.arguments, line.tool.output)))
            case Speaker.AGENT if text:
                messages.append((_ASSISTANT, text))
            case Speaker.CALLER if text:
                messages.append((_USER, text))
            case Speaker.OPERATOR:
                messages.append((_DEVELOPER, text))
            case Speaker.CALLER:
                wordless = True
            case _:
                pass
    if wordless:
        messages.insert(0, (_DEVELOPER, texts.line_missing))
    return [_message(role, text) for role, text in _newest(messages)]


def result(name: str, arguments: str, output: str | None) -> str:
    """What a session is told of a tool that it did not call itself."""
    called = f"The tool {name} was called with {arguments}"
    return f"{called}; there is no result yet." if output is None else f"{called}. Its result: {output}"


def _newest(messages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many of the last ones as are allowed; one that is too long alone is cut."""
    kept: list[tuple[str, str]] = []
    left = INPUT_TOKENS
    for role, text in reversed(messages):
        tokens = estimated_tokens(text)
        if tokens > left and not kept:
            text = fitting(text, left)
            tokens = left
        if tokens > left or len(kept) == INPUT_MESSAGES:
            break
        kept.append((role, text))
        left -= tokens
    return kept[::-1]


def _message(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == _ASSISTANT else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
