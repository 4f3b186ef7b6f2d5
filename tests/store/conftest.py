"""Fixtures: every test that asks for ``url`` runs on SQLite, on PostgreSQL, and behind PgBouncer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.store.servers import empty, pooled, postgres_server

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


@pytest.fixture(scope="session")
def pooler_url(postgres_url: str) -> Iterator[str]:
    """The same server behind one PgBouncer, which gives its connections away after each transaction."""
    with pooled(postgres_url) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql", "pgbouncer"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'phone.db'}"
    address: str = request.getfixturevalue("postgres_url")
    empty(address)
    pooler: str = address if request.param == "postgresql" else request.getfixturevalue("pooler_url")
    return pooler
