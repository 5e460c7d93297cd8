"""Who gets an edition first is decided at publish, the same way on either engine."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter.model.control import Stage
from newsletter.model.delivery import DeliveryState, Reply, Settlement
from newsletter.model.edition import Edition
from newsletter.model.subscriber import NewSubscriber
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, settle_deliveries
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.schema import deliveries
from newsletter.store.staging import CIRCLE, SPREAD, TURN, list_missing_seeds
from newsletter.store.subscribers import add_subscribers, mark_left

MINUTE = timedelta(minutes=1)
Publish = Callable[..., list[int]]


@pytest.fixture
def staged(database: Database, edition: Edition, now: datetime) -> Publish:
    """Publish an edition to so many readers and return their stages, in the order of their numbers."""

    def publish(readers: int, seeds: Sequence[str] = (), share: float = 0.0, slug: str = "one") -> list[int]:
        with database.transaction() as connection:
            add_subscribers(connection, [NewSubscriber(f"reader{n}@example.org") for n in range(readers)], now)
            frozen = freeze_edition(connection, replace(edition, slug=slug), "source", now)
            publish_edition(connection, frozen.id, now, seeds, share)
            rows = select(deliveries.c.stage).where(deliveries.c.edition_id == frozen.id)
            return list(connection.execute(rows.order_by(deliveries.c.subscriber_id)).scalars())

    return publish


def test_without_rules_everybody_is_in_the_last_stage(staged: Publish) -> None:
    assert staged(3) == [Stage.REST] * 3


def test_seeds_go_first_however_their_address_is_spelt(staged: Publish) -> None:
    seeds = ["READER1@EXAMPLE.ORG", "reader3@example.org", "nobody@example.org", "no address", ""]
    assert staged(4, seeds) == [Stage.REST, Stage.SEEDS, Stage.REST, Stage.SEEDS]


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.999])
def test_a_first_share_is_as_large_as_asked_and_spread_over_the_list(staged: Publish, share: float) -> None:
    stages = staged(2000, share=share)
    firsts = [number for number, stage in enumerate(stages) if stage == Stage.FIRST_SHARE]
    assert abs(len(firsts) - 2000 * share) <= 2
    halves = [sum(number < 1000 for number in firsts), sum(number >= 1000 for number in firsts)]
    assert abs(halves[0] - halves[1]) <= 3
    assert set(stages) <= {Stage.FIRST_SHARE, Stage.REST}


def test_a_seed_is_in_no_first_share(staged: Publish) -> None:
    stages = staged(50, ["reader7@example.org"], share=0.99)
    assert stages[7] == Stage.SEEDS
    assert stages.count(Stage.SEEDS) == 1


def test_seeds_who_are_no_readers_are_named(database: Database, staged: Publish, now: datetime) -> None:
    staged(2)
    seeds = ["Reader0@example.org", "reader1@example.org", "nobody@example.org", "no address"]
    with database.transaction() as connection:
        mark_left(connection, "reader1@example.org", now)
        assert list_missing_seeds(connection, seeds) == seeds[1:]
        assert list_missing_seeds(connection, []) == []


def test_both_engines_choose_as_the_arithmetic_says(staged: Publish) -> None:
    expected = [
        Stage.FIRST_SHARE if (reader * SPREAD + TURN) % CIRCLE < CIRCLE // 4 else Stage.REST for reader in range(1, 101)
    ]
    assert staged(100, share=0.25) == expected


def test_the_first_share_is_another_one_each_time(staged: Publish) -> None:
    first, second = staged(100, share=0.2, slug="one"), staged(100, share=0.2, slug="two")
    assert first != second


def test_a_claim_goes_no_further_than_its_stage_and_takes_earlier_stages_first(
    database: Database, now: datetime, staged: Publish
) -> None:
    stages = staged(20, ["reader19@example.org"], share=0.2)
    shares = stages.count(Stage.FIRST_SHARE)
    assert shares > 0

    def claim(stage: Stage, limit: int = 100, at: datetime = now) -> list[str]:
        with database.transaction() as connection:
            return [row.address for row in claim_deliveries(connection, 1, "one", at + MINUTE, at, limit, stage)]

    assert claim(Stage.SEEDS) == ["reader19@example.org"]
    assert claim(Stage.SEEDS) == []
    later = now + MINUTE
    with database.transaction() as connection:
        deferred = Settlement(20, DeliveryState.DEFERRED, Reply(451, "", "later"), 1, now, later)
        assert settle_deliveries(connection, "one", [deferred]) == []
    assert len(claim(Stage.FIRST_SHARE, 1)) == 1
    rest = claim(Stage.REST, at=later)
    assert rest[0] == "reader19@example.org", "who is due again goes before the queue"
    by_stage = [stages[int(address.removeprefix("reader").partition("@")[0])] for address in rest[1:]]
    assert by_stage == [Stage.FIRST_SHARE] * (shares - 1) + [Stage.REST] * (19 - shares)


def test_a_claim_of_an_early_stage_leaves_who_is_due_again_in_a_later_one(
    database: Database, now: datetime, staged: Publish
) -> None:
    staged(2, ["reader1@example.org"])
    with database.transaction() as connection:
        claim_deliveries(connection, 1, "one", now + MINUTE, now, 10)
        again = [Settlement(n, DeliveryState.DEFERRED, Reply(451, "", "later"), 1, now, now) for n in (1, 2)]
        assert settle_deliveries(connection, "one", again) == []
        (claimed,) = claim_deliveries(connection, 1, "one", now + MINUTE, now, 10, Stage.SEEDS)
    assert claimed.address == "reader1@example.org"
