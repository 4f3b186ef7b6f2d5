"""Limits of a connection hold whatever stands between us and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from llcphone import ConfigError
from llcphone.store import Message
from tests.store.journal_kit import Opened, change, row
from tests.store.servers import empty, pooled
from tests.store.store_kit import ADA, opened, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


def shows(name: str) -> Callable[[Connection], Any]:
    return lambda db: db.execute(text(f"SHOW {name}")).scalar_one()


@pytest.fixture(params=["postgres_url", "pooler_url"])
def server_url(request: pytest.FixtureRequest, postgres_url: str) -> str:
    empty(postgres_url)
    address: str = request.getfixturevalue(request.param)
    return address


async def test_a_transaction_has_its_limits_and_a_look_up_may_only_read(server_url: str) -> None:
    async with opened(server_url) as store:
        for place, read_only in ((store.main, "off"), (store.look_ups, "on")):
            for _ in range(3):  # the pooler gives each transaction any connection
                assert await place.ask(shows("statement_timeout")) == "2s"
                assert await place.ask(shows("lock_timeout")) == "2s"
                assert await place.ask(shows("idle_in_transaction_session_timeout")) == "20s"
                assert await place.ask(shows("transaction_read_only")) == read_only


def test_the_journal_has_limits_of_its_own(server_url: str) -> None:
    journal = Opened(server_url)
    try:
        assert journal.place.run(shows("statement_timeout")) == "2s"
        journal.write([change(row(), first=True)])
        for run_number in range(20):
            assert journal.claim("CA1", run_number, limit=100, run=f"run{run_number}", now=300.0)
    finally:
        journal.close()


async def test_a_statement_that_is_asked_again_and_again_is_never_prepared_on_the_server(
    server_url: str,
) -> None:
    async with opened(server_url) as store:
        for number in range(60):
            assert await store.take_message(Message(name="Ada", number=ADA, reason=f"{number}"))
            assert await store.find_customer(ADA) is None
        await written(store)
        assert store.writer.lost == 0


async def test_a_pooler_that_has_no_transactions_is_refused_at_the_start(postgres_url: str) -> None:
    empty(postgres_url)
    with pooled(postgres_url, "statement") as address, pytest.raises(ConfigError, match="pooler"):
        async with opened(address):
            pass


async def test_the_servers_own_words_say_why_it_cannot_be_opened(postgres_url: str) -> None:
    with pytest.raises(ConfigError, match=r'database "…" does not exist') as refused:
        async with opened(postgres_url.replace("/postgres?", "/nosuchplace?")):
            pass
    assert "nosuchplace" not in str(refused.value)
