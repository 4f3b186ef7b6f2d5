"""The same JSON in any spelling: key order, spaces and escapes that the standard allows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SPACE = st.sampled_from(["", "", " ", "\n", "\t ", "\r\n"])


def _character(character: str, draw: st.DrawFn) -> str:
    code = ord(character)
    ways = [f"\\u{code:04x}", f"\\u{code:04X}"] if code < 0x10000 else []
    if character == "/":
        ways.append("\\/")
    if character not in '"\\' and code >= 0x20:
        ways = [character, character, *ways]
    return draw(st.sampled_from(ways))


def _text(value: str, draw: st.DrawFn) -> str:
    # Escape a few characters only: drawing for each of 5,000 would be slow and find nothing more.
    where = set(draw(st.lists(st.integers(0, max(0, len(value) - 1)), max_size=5)))
    must = '"\\'
    return (
        '"'
        + "".join(
            _character(c, draw) if i in where or c in must or ord(c) < 0x20 else c
            for i, c in enumerate(value)
        )
        + '"'
    )


def _spell(value: Any, draw: st.DrawFn) -> str:
    def pad(text: str) -> str:
        return draw(SPACE) + text + draw(SPACE)

    match value:
        case None | bool() as word:
            return {None: "null", True: "true", False: "false"}[word]
        case str():
            return _text(value, draw)
        case dict():
            items = draw(st.permutations(list(value.items())))
            return "{" + ",".join(pad(_text(k, draw)) + ":" + pad(_spell(v, draw)) for k, v in items) + "}"
        case list():
            return "[" + ",".join(pad(_spell(v, draw)) for v in value) + "]"
        case _:
            return repr(value)


@st.composite
def spelled(draw: st.DrawFn, message: Any) -> bytes:
    """One spelling of the message."""
    return (draw(SPACE) + _spell(message, draw) + draw(SPACE)).encode()
