"""Fixtures: one PostgreSQL server for this process's tests, emptied before each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.conftest import postgres_url, the_server  # noqa: F401
from tests.store.servers import empty, own_server  # noqa: F401  (a fixture)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them wait for processes, most of the time: ``./dev test -m nodes`` and CI run them."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.nodes)


@pytest.fixture
def database(postgres_url: str) -> str:  # noqa: F811
    """An empty PostgreSQL database."""
    empty(postgres_url)
    return postgres_url
