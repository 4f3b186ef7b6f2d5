"""Fixtures: one PostgreSQL server for this process's tests, emptied before each."""

from __future__ import annotations

import pytest

from tests.store.conftest import postgres_url, the_server  # noqa: F401
from tests.store.servers import empty, own_server  # noqa: F401  (a fixture)


@pytest.fixture
def database(postgres_url: str) -> str:  # noqa: F811
    """An empty PostgreSQL database."""
    empty(postgres_url)
    return postgres_url
