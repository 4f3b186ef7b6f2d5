"""Hides telephone numbers, keys, tokens and configured secrets in texts.

For logs it is the second line of defence. The first is that our own log lines hold no such thing; this one
covers lines of libraries, texts of errors, and mistakes. It goes by shape, so it may hide a date in a text.
Our own ids have letters and stand alone in their field; they are left.
"""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llcphone.config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llcphone.config import Config

_NUMBER = re.compile(r"\+\d[\d ().-]{4,}\d|(?<![\w.])(?!\d{4}-\d\d-\d\d)\(?\d[\d ().-]{7,}\d|\d{9,}")
_KEY = re.compile(
    r"\b(?:sk|ek|rk|pk)[-_][\w*-]{6,}|\b(?:AC|SK)[0-9a-f]{32}\b|\bwhsec_\S+|(?i:\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}"
)
_TOKEN = re.compile(r"(/(?:media|status|amd|twiml|transfer|voicemail|recording|live|line)/)[^\s\"'<>,]+")
_LOGIN = re.compile(r"(://)[^\s/@]+@")
_ADDRESS = re.compile(r"\bsips?:[^\s\"'<>,]+")
_OWN_ID = re.compile(r"(?:[a-z0-9]{1,16}-)?(?=\d*[a-f])[0-9a-f]{16}|(?:CA|MZ)[0-9a-f]{32}")
_E164 = re.compile(r"\+\d{6,15}\b")
_SHORTEST_SECRET = 6
_FRAMES = 20


class Mask:
    """Hides the given secrets, and what has the shape of one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take texts to hide; very short ones are ignored, as they would hide parts of ordinary words."""
        known = sorted({each for each in secrets if len(each) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """The text without what must not be read."""
        if _OWN_ID.fullmatch(text) and (self._known is None or self._known.search(text) is None):
            return text
        text = self._without_secrets(text)
        text = _ADDRESS.sub("«address»", _TOKEN.sub(r"\1«token»", text))
        return _NUMBER.sub(_last_two, text)

    def evidence(self, text: str) -> str:
        """As ``text``, but dates, addresses and other digits stay: they are what a finding is about."""
        return _E164.sub(
            lambda number: f"«number {masked_number(number.group())}»", self._without_secrets(text)
        )

    def _without_secrets(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub("«secret»", text)
        return _LOGIN.sub(r"\1«login»@", _KEY.sub("«key»", text))

    def value(self, value: Any) -> Any:
        """The same for whatever a field of a log line may hold."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.text(value)
            case bytes() | bytearray():
                return f"«{len(value)} bytes»"  # the only bytes we have are received ones
            case dict():
                return {self.value(key): self.value(each) for key, each in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(each) for each in value]
            case BaseException():
                return type(value).__name__  # its text may hold what the caller said
            case _:
                return self.text(str(value))


def masked_number(number: str) -> str:
    """The last two digits of a number: ``…71``. What is no number, such as an address, is hidden."""
    return f"…{number[-2:]}" if re.fullmatch(r"\+?[0-9]{4,}", number) else "…" if number else ""


def secrets_of(config: Config) -> list[str]:
    """The configured secrets; of an address only its password."""
    secrets = []
    for setting in SETTINGS.values():
        value = config.value(setting.key)
        if not setting.secret or not isinstance(value, str):
            continue
        secrets.append((urlsplit(value).password or "") if "://" in value else value)
    return secrets


def places(error: BaseException) -> str:
    """A traceback without texts: which errors there were, and where they arose."""
    return "\n".join(_places(error, ""))


def _places(error: BaseException, indent: str) -> Iterator[str]:
    yield f"{indent}{type(error).__name__}"
    for frame in traceback.extract_tb(error.__traceback__, limit=-_FRAMES):
        yield f"{indent}  {frame.filename}:{frame.lineno} in {frame.name}"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _places(each, indent + "  ")
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield f"{indent}because of"
        yield from _places(cause, indent + "  ")


def _last_two(match: re.Match[str]) -> str:
    digits = [each for each in match.group() if each.isdigit()]
    return f"«number …{''.join(digits[-2:])}»" if len(digits) >= 7 else match.group()
