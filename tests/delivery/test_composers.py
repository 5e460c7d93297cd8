import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event

import pytest

from newsletter.delivery.compose import one_by_one
from newsletter.delivery.composers import Composers
from newsletter.delivery.desk import Made
from newsletter.delivery.exchange import Prepared
from newsletter.delivery.lanes import Mail
from newsletter.errors import StoreError
from newsletter.model.delivery import Delivery, DeliveryState

NOW = datetime(2024, 5, 25, tzinfo=UTC)


def make_deliveries(count: int) -> list[Delivery]:
    return [
        Delivery(number, 1, number, f"reader{number}@example.org", "", DeliveryState.SENDING, 0, NOW)
        for number in range(1, count + 1)
    ]


def compose(delivery: Delivery) -> Mail:
    if delivery.id == 7:
        raise ValueError("no header can hold the name")
    if delivery.id == 666:
        raise StoreError("the variant can't be read")
    return Prepared(delivery, b"", [b"mail"])


class Office:
    """Takes what composers make, and notes what went wrong."""

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.errors: list[Exception] = []

    def take(self, made: Sequence[Made]) -> None:
        self.made += made

    def fail(self, error: Exception) -> None:
        self.errors.append(error)

    async def wait(self, composers: Composers) -> None:
        while composers.busy:
            await asyncio.sleep(0.001)


async def test_all_are_made_and_who_can_t_be_written_to_is_told() -> None:
    office = Office()
    composers = Composers(one_by_one(compose), office.take, office.fail)
    composers.make(make_deliveries(200))
    await office.wait(composers)
    composers.close()
    mails = [item for item in office.made if isinstance(item, Prepared)]
    assert sorted(mail.key.id for mail in mails) == [number for number in range(1, 201) if number != 7]
    ((delivery, reply),) = [item for item in office.made if not isinstance(item, Prepared)]
    assert (delivery.id, reply.code, reply.enhanced) == (7, 0, "5.1.3")
    assert reply.text == "the mail can't be addressed: no header can hold the name"
    assert office.errors == []


async def test_what_goes_wrong_with_the_edition_is_told_and_no_mail_of_it_is_made() -> None:
    office = Office()
    composers = Composers(one_by_one(compose), office.take, office.fail)
    composers.make(make_deliveries(700)[660:])
    await office.wait(composers)
    composers.close()
    assert [str(error) for error in office.errors] == ["the variant can't be read"]
    assert office.made == []


async def test_once_closed_nothing_more_is_handed_out() -> None:
    office, gate = Office(), Event()

    def slow(delivery: Delivery) -> Mail:
        gate.wait(10)
        return compose(delivery)

    composers = Composers(one_by_one(slow), office.take, office.fail)
    composers.make(make_deliveries(1000))
    assert composers.busy
    gate.set()
    composers.close()
    await asyncio.sleep(0.01)
    assert office.made == []
    with pytest.raises(RuntimeError):
        composers.make(make_deliveries(1))
