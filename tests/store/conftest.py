"""Fixtures: every test that asks for ``url`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.store.servers import empty, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One server for all tests."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    with postgres_server() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'phone.db'}"
    address: str = request.getfixturevalue("postgres_url")
    empty(address)
    return address
