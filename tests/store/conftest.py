"""Fixtures: every test that asks for ``url`` runs on SQLite, on PostgreSQL, and behind PgBouncer."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.store.servers import empty, pooled, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def the_server() -> Iterator[str]:
    """One server for all tests of this process; parallel workers have one each, unless one is given."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    with postgres_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def before_the_server(the_server: str) -> Iterator[str]:
    """The same server behind one PgBouncer, which gives its connections away after each transaction."""
    with pooled(the_server) as address:
        yield address


@pytest.fixture
def postgres_url(the_server: str) -> Iterator[str]:
    """The database, which this test has for itself."""
    if not os.environ.get("TEST_POSTGRES_URL"):
        yield the_server
        return
    with (Path(tempfile.gettempdir()) / "llcphone-test-postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # all workers share it
        yield the_server


@pytest.fixture
def pooler_url(postgres_url: str, before_the_server: str) -> str:
    """It, through the PgBouncer."""
    return before_the_server


@pytest.fixture(params=["sqlite", "postgresql", "pgbouncer"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'phone.db'}"
    address: str = request.getfixturevalue("postgres_url")
    empty(address)
    pooler: str = address if request.param == "postgresql" else request.getfixturevalue("pooler_url")
    return pooler
