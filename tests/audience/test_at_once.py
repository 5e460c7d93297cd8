"""What many do at the same moment comes to what one after the other would have done."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from newsletter.audience.leaving import unsubscribe
from newsletter.audience.moving import ask_to_move
from newsletter.audience.policy_joining import JoinAnswer, JoinStatus
from newsletter.audience.privacy import erase_reader
from newsletter.mail.token import Purpose
from newsletter.model.consent import ConsentEvent
from newsletter.model.subscriber import SubscriberState
from newsletter.store.consents import list_consents
from newsletter.store.subscribers import count_subscribers
from tests.audience.door import FORM, KEY, Door, make_reception

ANN = "ann@example.org"
ACCEPTED = JoinAnswer(JoinStatus.ACCEPTED)
Result = TypeVar("Result")


def at_once(*acts: Callable[[], Result]) -> list[Result]:
    with ThreadPoolExecutor(len(acts)) as pool:
        return [done.result() for done in [pool.submit(act) for act in acts]]


def test_an_address_that_many_give_at_once_is_written_to_once(door: Door) -> None:
    answers = at_once(*(lambda n=n: door.join(ANN, client=f"192.0.2.{n}") for n in range(12)))
    assert answers == [ACCEPTED] * 12
    assert len(door.mails()) == 1
    with door.database.read() as connection:
        assert count_subscribers(connection)[SubscriberState.PENDING] == 1


def test_a_client_that_asks_in_parallel_gets_no_more_than_its_limit(door: Door) -> None:
    door.reception = make_reception(per_client_per_hour=1, per_client_burst=4, per_hour=100)
    answers = at_once(*(lambda n=n: door.join(f"{n}@example.org") for n in range(12)))
    assert Counter(answer.status for answer in answers) == {JoinStatus.ACCEPTED: 4, JoinStatus.THROTTLED: 8}
    assert len(door.mails()) == 4


def test_a_link_that_is_used_twice_at_once_counts_once(door: Door) -> None:
    door.join(ANN)
    token = door.mail().token
    done = at_once(*(lambda: door.confirm(token) for _ in range(8)))
    assert Counter(one.changed for one in done if one) == {True: 1, False: 7}
    with door.database.read() as connection:
        assert [line.event for line in list_consents(connection, 1)] == [ConsentEvent.ASKED, ConsentEvent.CONFIRMED]


def test_confirming_leaving_moving_and_erasing_at_once_end_somewhere_sensible(door: Door) -> None:
    for number in range(6):
        address = f"{number}@example.org"
        reader = door.admit(address)
        ask_to_move(door.database, door.reception, reader.id, f"new{number}@example.org", FORM, door.now)
        token = door.mail().token
        link = door.link(Purpose.UNSUBSCRIBE, reader)
        acts: list[Callable[[], object]] = [
            lambda token=token: door.confirm(token),  # type: ignore[misc]
            lambda link=link: unsubscribe(door.database, [KEY], link, FORM, door.now),  # type: ignore[misc]
            lambda link=link: unsubscribe(door.database, [KEY], link, FORM, door.now),  # type: ignore[misc]
            lambda reader=reader: erase_reader(door.database, reader.id, FORM, door.now),  # type: ignore[misc]
        ]
        at_once(*acts)
        door.mails()
        with door.database.read() as connection:
            assert sum(count_subscribers(connection).values()) == 0
            events = [line.event for line in list_consents(connection, reader.id)]
        assert events.count(ConsentEvent.ERASED) == 1
        assert events.count(ConsentEvent.LEFT) <= 1
