"""Processes for tests: each with a connection of its own to the shared tables, in this thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

import pytest

from llcphone import Config
from llcphone.errors import DialRefused
from llcphone.shared import nodes, sent
from llcphone.shared.nodes import Node
from llcphone.shared.tables import VERSIONED
from llcphone.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from llcphone.shared.sent import Kind

T = TypeVar("T")

TO = "+14155550100"


def config(url: str = "", **sections: dict[str, object]) -> Config:
    given: dict[str, dict[str, object]] = {"shared": {"url": url, **sections.pop("shared", {})}}
    return Config.from_dict({**given, **sections})


def calls(*, max_calls: int = 0, **outbound: object) -> Kind:
    """The limits of outbound calls; those that a test does not name are far away."""
    far = {"max_concurrent": 1_000, "max_per_day": 10_000, "calls_per_minute": 10_000}
    far |= {"per_number_per_day": 1_000, "per_number_min_gap_s": 0.0}
    return sent.calls_of(config(outbound={**far, **outbound}).outbound, max_calls)


class Process:
    """One that beats when it is told to."""

    def __init__(self, url: str, name: str) -> None:
        self.place = Database(url, key="shared.url", timeout_s=10.0)
        self.node = Node(life=f"life of {name}", name=name, url="", capacity=0, version="1")
        self.place.make_file()
        self.place.run(VERSIONED.prepare)
        self.run(nodes.register, self.node)

    def run(self, work: Callable[..., T], *args: object, **how: object) -> T:
        def ask(db: Connection) -> T:
            return work(db, *args, **how)

        return self.place.run(ask)

    def admit(self, kind: Kind, to: str = TO, call_id: str | None = None) -> str:
        """The code of the refusal; empty: it was admitted."""
        try:
            self.run(sent.admit, kind, number=to, hashed=to[::-1], life=self.node.life, call_id=call_id)
        except DialRefused as exc:
            return exc.code
        return ""


@pytest.fixture
def begun(url: str) -> Iterator[Callable[[str], Process]]:
    """Begins a process of this name."""
    all_: list[Process] = []

    def begin(name: str) -> Process:
        all_.append(Process(url, name))
        return all_[-1]

    yield begin
    for each in all_:
        each.place.close()


@pytest.fixture
def one(begun: Callable[[str], Process]) -> Process:
    return begun("n1")


@pytest.fixture
def other(one: Process, begun: Callable[[str], Process]) -> Process:
    return begun("n2")


def at_once(works: list[Callable[[], T]]) -> list[T]:
    """What each returns, all begun at the same moment in threads."""
    gate, found = threading.Barrier(len(works)), []

    def run(work: Callable[[], T]) -> None:
        gate.wait()
        found.append(work())

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
