"""An address is changed by whoever proves that both are his, and nobody learns who reads at another one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.audience.leaving import unsubscribe
from newsletter.audience.moving import ask_to_move
from newsletter.audience.policy_joining import JoinAnswer, JoinStatus
from newsletter.audience.preferences import load_preferences
from newsletter.audience.privacy import erase_reader
from newsletter.mail.token import Purpose
from newsletter.model.consent import Origin
from newsletter.model.delivery import DeliveryState
from newsletter.model.notice import LetterKind
from newsletter.model.subscriber import NewSubscriber, Subscriber, SubscriberState, SuppressionReason
from newsletter.store.bounces import suspend_reader
from newsletter.store.consents import list_consents
from newsletter.store.deliveries import list_deliveries
from newsletter.store.subscribers import add_subscriber, add_subscribers, load_subscriber, mark_left
from newsletter.store.suppression import find_reason
from tests.audience.door import DAY, FORM, HOUR, KEY, Door, make_reception, publish

ACCEPTED = JoinAnswer(JoinStatus.ACCEPTED)
OLD, NEW = "ann@old.example.org", "Ann@new.example.org"


def _ask(door: Door, reader: Subscriber, address: str = NEW, client: str = FORM.client) -> JoinAnswer:
    return ask_to_move(door.database, door.reception, reader.id, address, replace(FORM, client=client), door.now)


def _load(door: Door, reader: Subscriber) -> Subscriber:
    with door.database.read() as connection:
        found = load_subscriber(connection, reader.id)
    assert found is not None
    return found


def _reason(door: Door, address: str) -> SuppressionReason | None:
    with door.database.read() as connection:
        return find_reason(connection, address.lower())


def test_mail_goes_to_the_new_address_once_it_is_confirmed_there(door: Door) -> None:
    reader = door.admit(OLD, name="Ann", topics=frozenset({"agents"}))
    assert _ask(door, reader) == ACCEPTED
    asked = door.mail()
    assert (asked.kind, asked.address, asked.leave) == (LetterKind.CONFIRM_MOVE, NEW, "")
    assert _load(door, reader) == reader
    done = door.confirm(asked.token)
    assert done is not None
    assert done.subscriber == replace(reader, address=NEW)
    told = door.mail()
    assert (told.kind, told.address) == (LetterKind.MOVED, OLD)
    assert (_reason(door, OLD), _reason(door, NEW)) == (SuppressionReason.LEFT, None)
    with door.database.read() as connection:
        assert [line.event for line in list_consents(connection, reader.id)] == ["asked", "confirmed", "moved"]


def test_links_in_old_mail_still_open_and_an_import_of_the_old_list_brings_nothing_back(door: Door) -> None:
    reader = door.admit(OLD)
    _ask(door, reader)
    door.confirm(door.mail().token)
    seen = load_preferences(door.database, [KEY], door.link(Purpose.PREFERENCES, reader), door.now)
    assert seen is not None
    assert seen.subscriber.address == NEW
    with door.database.transaction() as connection:
        assert add_subscribers(connection, [NewSubscriber(OLD)], door.now).suppressed == 1
    left = unsubscribe(door.database, [KEY], door.link(Purpose.UNSUBSCRIBE, reader), FORM, door.now)
    assert left is not None
    assert (left.changed, left.subscriber.address) == (True, NEW)


def test_mail_that_waits_goes_to_the_new_address(door: Door) -> None:
    reader = door.admit(OLD)
    edition_id = publish(door, "one")
    _ask(door, reader)
    door.confirm(door.mail().token)
    with door.database.read() as connection:
        (row,) = list_deliveries(connection, edition_id)
    assert (row.address, row.state) == (NEW, DeliveryState.QUEUED)


def test_what_is_being_asked_is_shown_until_it_is_confirmed_or_over(door: Door) -> None:
    reader = door.admit(OLD)
    link = door.link(Purpose.PREFERENCES, reader)
    _ask(door, reader)

    def moving_to() -> str:
        seen = load_preferences(door.database, [KEY], link, door.now)
        assert seen is not None
        return seen.moving_to

    assert moving_to() == NEW
    token = door.mail().token
    door.confirm(token)
    assert moving_to() == ""
    _ask(door, reader, "third@example.org")
    assert moving_to() == "third@example.org"
    door.now += 7 * DAY
    assert moving_to() == ""


def _nobody(door: Door) -> None:
    """Nobody has the new address."""


def _other_reads(door: Door) -> None:
    with door.database.transaction() as connection:
        add_subscriber(connection, NewSubscriber(NEW, "Other"), door.now)


def _other_left(door: Door) -> None:
    _other_reads(door)
    with door.database.transaction() as connection:
        mark_left(connection, NEW, door.now)


def _other_is_pending(door: Door) -> None:
    door.join(NEW)
    door.mails()
    door.now += HOUR


def _other_bounced(door: Door) -> None:
    _suspend(door, SuppressionReason.BOUNCED)


def _other_complained(door: Door) -> None:
    _suspend(door, SuppressionReason.COMPLAINED)


def _suspend(door: Door, reason: SuppressionReason) -> None:
    _other_reads(door)
    other = door.find(NEW)
    assert other is not None
    with door.database.transaction() as connection:
        suspend_reader(connection, other, reason, door.now)


@pytest.mark.parametrize(
    ("stand", "kind"),
    [
        (_nobody, LetterKind.CONFIRM_MOVE),
        (_other_reads, LetterKind.ALREADY_READS),
        (_other_left, LetterKind.CONFIRM_MOVE),
        (_other_is_pending, LetterKind.CONFIRM_MOVE),
        (_other_bounced, LetterKind.CONFIRM_MOVE),
        (_other_complained, None),
    ],
)
def test_who_asks_is_told_the_same_whoever_has_the_new_address(
    door: Door, stand: Callable[[Door], None], kind: LetterKind | None
) -> None:
    reader = door.admit(OLD)
    stand(door)
    other = door.find(NEW)
    assert _ask(door, reader) == ACCEPTED
    assert [mail.kind for mail in door.mails()] == ([kind] if kind else [])
    seen = load_preferences(door.database, [KEY], door.link(Purpose.PREFERENCES, reader), door.now)
    assert seen is not None
    assert (seen.subscriber, seen.moving_to) == (reader, NEW)
    assert door.find(NEW) == other


@pytest.mark.parametrize("stand", [_other_left, _other_is_pending, _other_bounced])
def test_a_row_that_gets_no_mail_gives_way_and_its_record_goes_along(door: Door, stand: Callable[[Door], None]) -> None:
    reader = door.admit(OLD)
    stand(door)
    other = door.find(NEW)
    assert other is not None
    with door.database.read() as connection:
        records = len(list_consents(connection, other.id)) + len(list_consents(connection, reader.id))
    _ask(door, reader)
    done = door.confirm(door.mail().token)
    assert done is not None
    assert done.subscriber == replace(reader, address=NEW)
    assert door.find(NEW) == done.subscriber
    assert _reason(door, NEW) is None
    buried = _load(door, other)
    assert (buried.address, buried.name, buried.state) == (f"erased-{other.id}@invalid", "", SubscriberState.LEFT)
    with door.database.read() as connection:
        assert len(list_consents(connection, reader.id)) == records + 1
        assert list_consents(connection, other.id) == []


def test_who_reads_at_both_addresses_reads_at_the_new_one_as_he_chose_there(door: Door) -> None:
    reader = door.admit(OLD, language="de")
    _ask(door, reader)
    token = door.mail().token
    _other_reads(door)
    other = door.find(NEW)
    done = door.confirm(token)
    assert done is not None
    assert (done.subscriber, done.changed) == (other, True)
    assert _load(door, reader).state is SubscriberState.LEFT
    again = door.confirm(token)
    assert again is not None
    assert not again.changed


def test_who_complained_at_the_new_address_is_left_alone(door: Door) -> None:
    reader = door.admit(OLD)
    _ask(door, reader)
    token = door.mail().token
    _other_complained(door)
    assert door.confirm(token) is None
    assert _load(door, reader) == reader


def test_a_reader_whose_mail_bounced_can_move_and_reads_again(door: Door) -> None:
    reader = door.admit(OLD)
    with door.database.transaction() as connection:
        suspend_reader(connection, reader, SuppressionReason.BOUNCED, door.now)
    assert _ask(door, reader) == ACCEPTED
    done = door.confirm(door.mail().token)
    assert done is not None
    assert (done.subscriber.state, done.subscriber.address) == (SubscriberState.ACTIVE, NEW)
    assert door.mails() == []  # the old mailbox hears nothing
    assert _reason(door, OLD) is SuppressionReason.BOUNCED


@pytest.mark.parametrize("fate", ["left", "complained", "erased", "never"])
def test_who_does_not_read_cannot_move(door: Door, fate: str) -> None:
    reader = door.admit(OLD)
    _ask(door, reader)
    token = door.mail().token
    with door.database.transaction() as connection:
        if fate == "left":
            mark_left(connection, OLD, door.now)
        elif fate == "complained":
            suspend_reader(connection, reader, SuppressionReason.COMPLAINED, door.now)
    if fate == "erased":
        erase_reader(door.database, reader.id, FORM, door.now)
    nobody = replace(reader, id=99) if fate == "never" else reader
    answer = _ask(door, nobody, "third@example.org")
    assert (answer.status, [problem.code for problem in answer.problems]) == (JoinStatus.INVALID, ["reader"])
    assert door.mails() == []
    if fate != "never":
        assert door.confirm(token) is None


@pytest.mark.parametrize(("address", "code"), [("nothing", "address"), ("ANN@OLD.example.org", "same")])
def test_what_is_no_new_address_is_refused(door: Door, address: str, code: str) -> None:
    reader = door.admit(OLD)
    answer = _ask(door, reader, address)
    assert (answer.status, [problem.code for problem in answer.problems]) == (JoinStatus.INVALID, [code])
    assert door.mails() == []


def test_moving_is_limited_for_address_reader_and_client(door: Door) -> None:
    reader, bob = door.admit(OLD), door.admit("bob@example.org")
    assert [_ask(door, reader), _ask(door, bob)] == [ACCEPTED, ACCEPTED]
    assert len(door.mails()) == 1  # one letter to an address, whoever asks
    assert _ask(door, reader, "third@example.org") == ACCEPTED
    assert _ask(door, reader, "fourth@example.org").status is JoinStatus.THROTTLED
    door.now += DAY
    assert _ask(door, reader, "fourth@example.org") == ACCEPTED
    door.reception = make_reception(per_client_burst=1, per_client_per_hour=1)
    assert _ask(door, bob, "fifth@example.org", client="203.0.113.1") == ACCEPTED
    assert _ask(door, bob, "sixth@example.org", client="203.0.113.1").status is JoinStatus.THROTTLED


def test_two_requests_are_open_and_the_one_that_is_confirmed_ends_the_other(door: Door) -> None:
    reader = door.admit(OLD)
    _ask(door, reader)
    first = door.mail().token
    _ask(door, reader, "third@example.org")
    second = door.mail().token
    done = door.confirm(first)
    assert done is not None
    assert done.subscriber.address == NEW
    assert door.confirm(second) is None
    assert _load(door, reader).address == NEW


def test_going_back_is_possible(door: Door) -> None:
    reader = door.admit(OLD)
    _ask(door, reader)
    door.confirm(door.mail().token)
    door.mails()
    door.now += DAY
    assert _ask(door, reader, OLD) == ACCEPTED
    done = door.confirm(door.mail().token)
    assert done is not None
    assert done.subscriber.address == OLD
    assert (_reason(door, OLD), _reason(door, NEW)) == (None, SuppressionReason.LEFT)


def test_where_a_move_came_from_is_in_the_record(door: Door) -> None:
    reader = door.admit(OLD)
    _ask(door, reader)
    door.confirm(door.mail().token)
    with door.database.read() as connection:
        moved = list_consents(connection, reader.id)[-1]
    assert (moved.origin, moved.detail) == (Origin("form", "192.0.2.9"), "")
