"""How a phone is put together: in one step, and with a stated order of those who hear of calls."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.calls.memory import open_memory


def owners(listeners: list[Any]) -> list[str]:
    return [type(getattr(each, "__self__", None)).__name__ for each in listeners]


async def test_no_part_of_a_phone_is_set_from_outside(autojump_clock) -> None:
    async with open_memory() as house:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            house.phone.dialler = None


async def test_who_hears_of_calls_has_an_order(autojump_clock) -> None:
    """A transfer is known before anything decides whether the telephone call continues."""
    async with open_memory() as house:
        calls = house.phone._calls
        first = ["Endpoints", "DayBudget", "CallWarnings", "TransferRegistry"]
        assert owners(calls.observers)[1:] == first  # behind the user's own function
        assert owners(calls.on_over) == ["Transfers", "MovedCalls"]
        assert owners(calls.on_end) == ["Endpoints", "DayBudget", "MovedCalls", "Transfers"]
