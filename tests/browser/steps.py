"""The page's telephone without a device: whoever drives it says when time passes, and how much."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

_FOLDER = Path(__file__).parent
SPY = (_FOLDER / "spy.js").read_text("utf-8")
_STEPS = (_FOLDER / "steps.js").read_text("utf-8")
RATE = 48_000
STEP_MS = 8
"""Three blocks of the audio thread at that rate."""


@attrs.frozen
class Telephone:
    """It stands in this page, which has to let a worklet come from a blob."""

    page: Page

    @classmethod
    def of(
        cls, page: Page, *, latency_ms: float = 0, half: bool = False, tone: int = 0, seconds: float = 60.0
    ) -> Telephone:
        """A new one.

        Args:
            page: where it stands.
            latency_ms: of its loudspeaker.
            half: it is half duplex.
            tone: what its microphone hears, in Hz; 0: nothing.
            seconds: so long it works.
        """
        given = {"rate": RATE, "step": STEP_MS / 1000, "seconds": seconds}
        given |= {"latency": latency_ms / 1000, "half": half, "tone": tone}
        page.evaluate(_STEPS, {"spy": SPY, **given})
        return cls(page)

    def step(self, messages: Sequence[str | dict[str, Any]]) -> dict[str, Any]:
        """Give it audio, marks and clears, and let a step pass.

        ``marks`` are those that it has sent back; ``played`` are bytes; and it may be ``idle``.
        """
        seen: dict[str, Any] = self.page.evaluate("messages => window.telephone.step(messages)", messages)
        return seen

    def run(self, timed: Sequence[tuple[float, str | dict[str, Any]]]) -> dict[str, Any]:
        """The same for all that comes, each at its millisecond, until it is heard."""
        seen: dict[str, Any] = self.page.evaluate("timed => window.telephone.run(timed)", timed)
        return seen

    @property
    def frames(self) -> list[bytes]:
        """What it has sent."""
        return [base64.b64decode(frame) for frame in self.page.evaluate("window.telephone.frames")]

    @property
    def cuts(self) -> list[dict[str, Any]]:
        """How it stood at each clear."""
        cuts: list[dict[str, Any]] = self.page.evaluate("window.telephone.cuts")
        return cuts
