from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.store.batches import is_among, tabulate
from newsletter.store.database import Database
from newsletter.store.editions import StoredEdition
from newsletter.store.schema import deliveries

COLUMNS = tuple(deliveries.c[name] for name in ("id", "settled_at", "reply_text"))
NUMBERS = st.integers(1, 2**63 - 1)
TIMES = st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds must be naive
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(NUMBERS, TIMES, TEXTS), min_size=1))
def test_a_table_holds_what_it_was_given(database: Database, rows: list[tuple[int, datetime | None, str]]) -> None:
    with database.read() as connection:
        found = connection.execute(select(*tabulate(connection, COLUMNS, rows).values())).all()
    assert [tuple(row) for row in found] == rows


def test_numbers_may_be_many_or_none(database: Database, publish: Callable[..., StoredEdition]) -> None:
    publish(4)
    with database.read() as connection:
        for numbers, there in (([], []), ([3, 1, 99], [1, 3]), (range(2, 100_000), [2, 3, 4])):
            chosen = select(deliveries.c.id).where(is_among(connection, deliveries.c.id, numbers))
            assert list(connection.execute(chosen.order_by(deliveries.c.id)).scalars()) == there
