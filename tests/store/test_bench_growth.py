"""``bench.growth`` measures transactions of the product."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from bench import growth
from tests.store.servers import empty


def test_the_transactions_of_bench_growth_work_on_the_rows_that_it_makes(postgres_url: str) -> None:
    empty(postgres_url)
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:", 1))
    growth.fill(engine, 40, 2)
    place = growth.opened(postgres_url, 1)
    kinds = growth.Kinds(place, 40, 0)
    for kind in growth.rates(40):
        place.run(kinds.of(kind))
    with engine.connect() as db:
        said = db.execute(text("SELECT count(*) FROM llcphone_lines WHERE body LIKE '%heard_ms%'")).scalar()
        over = db.execute(text("SELECT over FROM llcphone_calls WHERE over <> ''")).scalars().all()
    place.close()
    engine.dispose()
    assert (said, over) == (growth.BATCH, ["caller_hung_up"])
