"""The telephone in the page on a bad way and beside a loud loudspeaker, a step of audio at a time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from llcphone.sim import ulaw, voices
from tests.browser.sound import level, pieces_of
from tests.browser.steps import Telephone

if TYPE_CHECKING:
    from playwright.sync_api import Page

SAID = voices.load("book_table")
JITTER_MS = 80
TONE = 440
ROOM_MS = 200
"""So long the room goes on sounding after the agent."""


@pytest.mark.parametrize("seed", range(3))
def test_a_shaky_way_to_the_ear_makes_at_most_one_gap(bare_page: Page, seed: int) -> None:
    chance = random.Random(seed)
    coming: list[tuple[float, str | dict[str, str]]] = []
    arrives_ms = 0.0
    for number, piece in enumerate(pieces_of(SAID, 160)):  # in order, as a socket brings them
        arrives_ms = max(arrives_ms, number * 20 + chance.uniform(0, JITTER_MS))
        coming.append((arrives_ms, piece))
    seen = Telephone.of(bare_page, latency_ms=30).run([*coming, (arrives_ms, {"mark": "end"})])
    assert seen["underruns"] <= 1
    assert (seen["played"], seen["marks"]) == (len(SAID), ["end"])


@pytest.mark.parametrize("half", [True, False], ids=["half duplex", "full duplex"])
def test_half_duplex_sends_silence_while_the_agent_is_heard_and_the_voice_after_it(
    bare_page: Page, half: bool
) -> None:
    agent = voices.load("hello")[:4000]
    telephone = Telephone.of(bare_page, half=half, tone=TONE)
    telephone.run([(100, piece) for piece in pieces_of(agent, 4000)])
    for _ in range(50):
        telephone.step([])
    levels = [level(ulaw.decode(frame)) for frame in telephone.frames]
    heard = levels[12:25]  # from 240 ms on the agent is loud
    after = levels[(100 + 500 + ROOM_MS) // 20 + 2 :]
    assert min(levels[1:4]) > -12
    assert len(after) >= 5
    assert min(after) > -12
    assert (max(heard) < -60) if half else (min(heard) > -12)
