"""A reader's rows are found without reading everybody's."""

from collections.abc import Callable

import pytest
from sqlalchemy import event

from newsletter.model.subscriber import Subscriber
from newsletter.store.choices import erase_subscriber
from newsletter.store.database import Database
from newsletter.store.dossier import list_deliveries_to
from newsletter.store.editions import StoredEdition
from newsletter.store.subscribers import load_subscriber

Publish = Callable[..., StoredEdition]


@pytest.mark.parametrize("engine_name", ["sqlite"])  # PostgreSQL plans by how much there is
def test_no_reader_costs_a_walk_through_the_ledger(database: Database, publish: Publish) -> None:
    stored = publish(3)
    told: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "deliveries" in statement:
            told.append((statement, parameters))

    event.listen(database._engine, "before_cursor_execute", note)
    with database.transaction() as connection:
        (row,) = list_deliveries_to(connection, 2)
        assert (row["slug"], row["address"]) == (stored.edition.slug, "reader1@example.org")
        reader = load_subscriber(connection, 2)
        assert isinstance(reader, Subscriber)
        erase_subscriber(connection, reader, stored.published_at)
    event.remove(database._engine, "before_cursor_execute", note)
    assert len(told) >= 3
    with database.read() as connection:
        for statement, parameters in told:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()  # type: ignore[arg-type]
            assert not [step for *_, step in plan if step.startswith("SCAN deliveries")], statement
