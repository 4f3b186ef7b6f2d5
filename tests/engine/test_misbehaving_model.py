"""Whatever a model says in whatever order, no caller waits for ever and every call ends with a reason.

``python -m bench.misbehaving`` plays two thousand such calls.
"""

from __future__ import annotations

import pytest

from tests.engine.misbehaving import World

CALLS = 300
AT_ONCE = 30


@pytest.mark.parametrize("first", range(0, CALLS, AT_ONCE))
def test_no_line_is_dead_without_an_alarm_and_every_call_ends(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        world = World(seed)
        assert world.run() == [], f"seed {seed}"
        assert world.engine.ended is not None
        assert world.bad_messages == 0, f"seed {seed}: an odd field made an event unreadable"
