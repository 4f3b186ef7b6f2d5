"""A dict that keeps the newest entries."""

from __future__ import annotations

from llcphone.validation.bounded_dict import BoundedDict


def test_one_entry_too_many_drops_the_oldest() -> None:
    kept: BoundedDict[str, int] = BoundedDict(2)
    kept["a"], kept["b"] = 1, 2
    kept["a"] = 3  # set again, so it is the newest
    kept["c"] = 4
    assert list(kept.items()) == [("a", 3), ("c", 4)]
    assert kept.setdefault("d", 5) == 5
    assert list(kept) == ["c", "d"]


def test_a_bound_of_none_keeps_nothing() -> None:
    kept: BoundedDict[str, int] = BoundedDict(0)
    kept["a"] = 1
    assert not kept
