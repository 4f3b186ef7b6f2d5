"""The page's sound without a device, and what two sounds have in common."""

from __future__ import annotations

import base64
import math
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llcphone.sim import ulaw
from tests.browser.visit import WAIT_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

FRAME = 160
_IN_PAGE = Path(__file__).with_name("sound.js").read_text("utf-8")


def in_page(page: Page, function: str, **given: Any) -> Any:
    """Call a function of sound.js."""
    hangs = f"new Promise((_, fail) => setTimeout(fail, {WAIT_MS}, 'it hangs'))"
    return page.evaluate(f"given => Promise.race([{_IN_PAGE.strip()}.{function}(given), {hangs}])", given)


def sent_of(page: Page, *, rate: int, seconds: float, **source: Any) -> list[int]:
    """What the telephone sends while ``samples`` or a ``tone`` are spoken."""
    frames = [
        base64.b64decode(frame) for frame in in_page(page, "speak", rate=rate, seconds=seconds, **source)
    ]
    assert {len(frame) for frame in frames} == {FRAME}
    return list(ulaw.decode(b"".join(frames)))


def pieces_of(audio: bytes, size: int) -> list[str]:
    """As the line sends it, in pieces of this size."""
    return [base64.b64encode(audio[at : at + size]).decode() for at in range(0, len(audio), size)]


def level(samples: Sequence[float]) -> float:
    """RMS in dB of full scale."""
    return 10 * math.log10(sum(map(mul, samples, samples)) / len(samples) / 32768**2 + 1e-12)


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    """Their correlation: 1 for the same shape."""
    return sum(map(mul, one, other)) / math.sqrt(sum(map(mul, one, one)) * sum(map(mul, other, other)) or 1)


def shift_of(heard: Sequence[float], said: Sequence[float], most: int) -> int:
    """How many samples later ``said`` stands in ``heard``, by its loudest quarter of a second."""
    at = max(range(0, len(said) - 2000, 400), key=lambda begin: level(said[begin : begin + 2000]))
    probe = said[at : at + 2000]
    return max(range(most + 1), key=lambda by: likeness(probe, heard[at + by : at + by + 2000]))
