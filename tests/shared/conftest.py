"""Every test here that asks for ``url`` runs on SQLite, on PostgreSQL, and behind PgBouncer."""

from __future__ import annotations

from tests.store.conftest import before_the_server, pooler_url, postgres_url, the_server, url

__all__ = ["before_the_server", "pooler_url", "postgres_url", "the_server", "url"]
