"""What holds for every test.

Hypothesis explores by chance at a desk and repeats itself in CI: what lands is decided the same twice.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from trio.testing import MockClock

RUN_SYNC = trio.to_thread.run_sync

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
gc.disable()  # until all is collected: modules and tests are no garbage, and a fifth of the time goes there
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores SIGINT, and the programs that tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """For ``./dev test``: two workers more than there are cores, as half of the time is waiting."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return len(cores) + 2


@pytest.hookimpl(trylast=True)  # what is not selected, by -m or -k, is not dealt
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Parallel workers, and the next run, know a test by its name."""
    if unsteady := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"names that are others in each process, give them ids: {unsteady}")
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        items[:] = dealt(items, workers)


def dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Each worker begins with its share of the slow tests, so that none is left alone at the end.

    xdist gives each worker a block of the list; those that are done steal from the ends of the others'.
    Slow tests of one file stay together, as they share fixtures; so do all that drive a browser.
    """
    groups: dict[str, list[pytest.Item]] = {}
    others = []
    for item in items:
        if item.get_closest_marker("browser"):
            groups.setdefault("browser", []).append(item)
        elif item.get_closest_marker("slow"):
            groups.setdefault(item.nodeid.partition("::")[0], []).append(item)
        else:
            others.append(item)
    blocks: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for group in sorted(groups.values(), key=len, reverse=True):
        min(blocks, key=len).extend(group)
    size = len(items) // workers
    for block in blocks[:-1]:
        missing = max(0, size - len(block))
        block.extend(others[:missing])
        del others[:missing]
    blocks[-1].extend(others)
    return [item for block in blocks for item in block]


def pytest_collection_finish() -> None:
    """Many tests collect garbage to see that nothing is left: not over all modules again each time."""
    for name, module in list(sys.modules.items()):
        if name.startswith("llcphone."):
            _names_of_run_sync(module)  # now, while no test has replaced one
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # a test makes few objects and leaves most to the count of references
    gc.enable()


@pytest.fixture(autouse=True)
def logs_stay_as_they_are() -> Iterator[None]:
    """A command that a test runs in this process configures the logs of the whole process."""
    loggers = [logging.getLogger(name) for name in (None, "llcphone", "py.warnings")]
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    hook = sys.excepthook
    yield
    logging.captureWarnings(False)
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers[:] = handlers
        each.setLevel(level)
        each.propagate = propagate
    sys.excepthook = hook


def _in_place_of_threads(instead: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio.to_thread, "run_sync", instead)
    for name, module in list(sys.modules.items()):
        if name.startswith("llcphone."):
            for word in _names_of_run_sync(module):
                if getattr(module, word) is RUN_SYNC:  # else a test has replaced it
                    monkeypatch.setattr(module, word, instead)


@cache  # 500 modules have 20,000 names, and thousands of tests ask
def _names_of_run_sync(module: ModuleType) -> list[str]:
    return [word for word, value in vars(module).items() if value is RUN_SYNC]


@pytest.fixture
def autojump_clock(
    autojump_clock: MockClock, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> MockClock:
    """The virtual clock. A thread is no task, so this clock jumps while one works: a test that starts one
    would fail now and then, and fails always here. ``no_threads`` helps."""

    async def refused(work: Callable[..., Any], *args: Any, **_: Any) -> Any:
        pytest.fail(f"{work} would run in a thread under a virtual clock: use the fixture no_threads")

    if "no_threads" not in request.fixturenames:
        _in_place_of_threads(refused, monkeypatch)
    return autojump_clock


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would run in a thread, such as a statement of a database, runs at once."""

    async def at_once(work: Callable[..., Any], *args: Any, **_: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*args)

    _in_place_of_threads(at_once, monkeypatch)


@pytest.fixture
def modules_as_they_were() -> Iterator[None]:
    """No module and no folder of an agent that a test loads stays behind."""
    from llcphone.modes import agent_file

    path, modules, folders = list(sys.path), set(sys.modules), list(agent_file._folders)
    agent_file._folders.clear()
    yield
    sys.path[:] = path
    agent_file._folders[:] = folders
    for name in set(sys.modules) - modules:
        del sys.modules[name]
