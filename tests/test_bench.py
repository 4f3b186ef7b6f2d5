"""The benches start: each can be imported, and the settings that it passes to a server exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from llcphone.settings import OWN_NAMES

FILES = sorted((Path(__file__).parent.parent / "bench").glob("*.py"))
benches = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@benches
def test_a_bench_can_be_imported(path: Path) -> None:
    if path.stem in {"asyncio_bridge", "naive_trio"}:
        pytest.skip("a bridge to compare with: it serves as soon as it is loaded")
    importlib.import_module(f"bench.{path.stem}")


@benches
def test_every_variable_that_a_bench_sets_is_a_setting(path: Path) -> None:
    named = set(re.findall(r"LLCPHONE_[A-Z]+__[A-Z_]+", path.read_text("utf-8")))
    assert named <= OWN_NAMES.keys()
