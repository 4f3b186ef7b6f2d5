"""The collector's full rounds come where nobody hears them, and the host's own ways come back."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, cast

import pytest

from llcphone.server import gc_tuning
from llcphone.server.gc_tuning import quiet_interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.call.call import Call

CALL = cast("Call", None)


@pytest.fixture
def rounds() -> Iterator[list[int]]:
    """The generations of the collections that begin."""
    seen: list[int] = []

    def began(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(began)
    yield seen
    gc.callbacks.remove(began)


def test_the_last_call_that_ends_brings_a_full_round(rounds: list[int]) -> None:
    live = 2
    with quiet_interpreter(lambda: live) as call_ended:
        before = rounds.count(2)
        live = 1
        call_ended(CALL)
        assert rounds.count(2) == before
        live = 0
        call_ended(CALL)
        assert rounds.count(2) == before + 1


def test_in_a_house_that_is_never_empty_it_comes_after_many_calls(rounds: list[int]) -> None:
    with quiet_interpreter(lambda: 7) as call_ended:
        before = rounds.count(2)
        for _ in range(gc_tuning._ENDED_CALLS * 3 - 1):
            call_ended(CALL)
        assert rounds.count(2) == before + 2


def test_much_that_grows_old_brings_no_full_round_by_itself(rounds: list[int]) -> None:
    with quiet_interpreter(lambda: 1):
        before = rounds.count(2)
        kept = [[number] for number in range(200_000)]
        assert rounds.count(1) > 0
        assert rounds.count(2) == before
        del kept


def test_afterwards_the_interpreter_is_as_it_was() -> None:
    thresholds, switch_s = gc.get_threshold(), sys.getswitchinterval()
    with quiet_interpreter(lambda: 0):
        assert gc.get_threshold() != thresholds
        assert sys.getswitchinterval() != switch_s
    assert gc.get_threshold() == thresholds
    assert sys.getswitchinterval() == switch_s


def test_what_the_host_has_set_aside_stays_so(rounds: list[int]) -> None:
    gc.freeze()
    with quiet_interpreter(lambda: 0):
        assert not rounds, "a full round costs the host a pause"
    assert gc.get_freeze_count() > 0
