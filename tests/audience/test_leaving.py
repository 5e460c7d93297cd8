"""Leaving works at once, every time, with a link of any age, and by mail."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.audience.leaving import Leaving, get_fewer, leave_by_mail, load_leaver, unsubscribe
from newsletter.audience.policy_leaving import parse_leave_request
from newsletter.audience.privacy import erase_reader
from newsletter.mail.token import Purpose, make_token
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.model.delivery import DeliveryState
from newsletter.model.subscriber import Cadence, NewSubscriber, Subscriber, SubscriberState, SuppressionReason
from newsletter.store.consents import list_consents
from newsletter.store.deliveries import count_deliveries, list_deliveries
from newsletter.store.subscribers import add_subscribers
from newsletter.store.suppression import find_reason
from tests.audience.door import DAY, FORM, KEY, Door, publish

ANN = "ann@example.org"
ONE_CLICK = Origin("one-click", "192.0.2.77")
TOKEN = make_token(KEY, Purpose.UNSUBSCRIBE, 1, 7)


def _leave(door: Door, reader: Subscriber) -> Leaving | None:
    return unsubscribe(door.database, [KEY], door.link(Purpose.UNSUBSCRIBE, reader), ONE_CLICK, door.now)


def test_who_leaves_gets_nothing_that_waits_and_his_record_says_so(door: Door) -> None:
    reader, bob = door.admit(ANN), door.admit("bob@example.org")
    edition_id = publish(door, "one")
    left = _leave(door, reader)
    assert left is not None
    assert (left.changed, left.cancelled, left.subscriber.state) == (True, 1, SubscriberState.LEFT)
    with door.database.read() as connection:
        states = {row.address: row.state for row in list_deliveries(connection, edition_id)}
        assert states == {ANN: DeliveryState.CANCELLED, bob.address: DeliveryState.QUEUED}
        assert count_deliveries(connection, edition_id).holds
        last = list_consents(connection, reader.id)[-1]
        assert (last.event, last.origin, last.at) == (ConsentEvent.LEFT, ONE_CLICK, door.now)
        assert find_reason(connection, ANN) is SuppressionReason.LEFT


def test_leaving_again_is_no_news(door: Door) -> None:
    reader = door.admit(ANN)
    first = _leave(door, reader)
    door.now += DAY
    second = _leave(door, reader)
    assert first is not None
    assert second == Leaving(first.subscriber, changed=False, cancelled=0)
    with door.database.read() as connection:
        assert [line.event for line in list_consents(connection, reader.id)].count(ConsentEvent.LEFT) == 1


def test_a_link_from_years_ago_ends_what_began_again_since(door: Door) -> None:
    reader = door.admit(ANN)
    _leave(door, reader)
    door.now += 3000 * DAY
    back = door.admit(ANN, cadence=Cadence.MONTHLY)
    assert back.id == reader.id
    left = _leave(door, reader)
    assert left is not None
    assert (left.changed, left.subscriber.cadence) == (True, Cadence.MONTHLY)


def test_who_left_stays_out_of_imports(door: Door) -> None:
    _leave(door, door.admit(ANN))
    with door.database.transaction() as connection:
        assert add_subscribers(connection, [NewSubscriber("ANN@example.org")], door.now).suppressed == 1
    publish(door, "one")
    found = door.find(ANN)
    assert found is not None
    assert found.state is SubscriberState.LEFT


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a" * 32,
        make_token(b"o" * 32, Purpose.UNSUBSCRIBE, 1, 7),
        make_token(KEY, Purpose.PREFERENCES, 1, 7),
        make_token(KEY, Purpose.UNSUBSCRIBE, 99, 7),
        make_token(KEY, Purpose.UNSUBSCRIBE, 0, 0),  # a test mail's
    ],
)
def test_a_link_that_is_not_ours_ends_nothing(door: Door, token: str) -> None:
    reader = door.admit(ANN)
    assert reader.id == 1
    assert unsubscribe(door.database, [KEY], token, ONE_CLICK, door.now) is None
    assert load_leaver(door.database, [KEY], token) is None
    assert get_fewer(door.database, [KEY], token, Cadence.WEEKLY, FORM, door.now) is None
    assert door.find(ANN) == reader


def test_looking_at_the_link_changes_nothing(door: Door) -> None:
    reader = door.admit(ANN)
    assert load_leaver(door.database, [KEY], door.link(Purpose.UNSUBSCRIBE, reader)) == reader
    assert door.find(ANN) == reader


def test_fewer_in_place_of_none_changes_the_cadence_alone(door: Door) -> None:
    reader = door.admit(ANN, topics=frozenset({"agents"}), name="Ann")
    link = door.link(Purpose.UNSUBSCRIBE, reader)
    after = get_fewer(door.database, [KEY], link, Cadence.MONTHLY, FORM, door.now)
    assert after is not None
    assert (after.cadence, after.topics, after.name, after.state) == (
        Cadence.MONTHLY,
        reader.topics,
        "Ann",
        SubscriberState.ACTIVE,
    )
    assert get_fewer(door.database, [KEY], link, Cadence.MONTHLY, FORM, door.now) == after
    with door.database.read() as connection:
        details = [line.detail for line in list_consents(connection, reader.id)]
    assert details == ["", "", "cadence: each → monthly"]
    _leave(door, reader)
    assert get_fewer(door.database, [KEY], link, Cadence.WEEKLY, FORM, door.now) is None


def test_a_weekly_reader_leaves_like_any_other(door: Door) -> None:
    left = _leave(door, door.admit(ANN, cadence=Cadence.WEEKLY))
    assert left is not None
    assert left.changed


def test_a_link_to_who_was_erased_is_answered_and_changes_nothing(door: Door) -> None:
    reader = door.admit(ANN)
    erase_reader(door.database, reader.id, FORM, door.now)
    left = _leave(door, reader)
    assert left is not None
    assert (left.changed, left.cancelled, left.subscriber.address) == (False, 0, "erased-1@invalid")
    with door.database.read() as connection:
        assert find_reason(connection, "erased-1@invalid") is None


def test_a_mail_ends_it_too(door: Door) -> None:
    reader = door.admit(ANN)
    subject = f"Re: unsubscribe-{door.link(Purpose.UNSUBSCRIBE, reader)}"
    left = leave_by_mail(door.database, [KEY], subject, door.now)
    assert left is not None
    assert (left.changed, left.subscriber.id) == (True, reader.id)
    with door.database.read() as connection:
        assert list_consents(connection, reader.id)[-1].origin == Origin("mail")
    assert leave_by_mail(door.database, [KEY], "unsubscribe me please", door.now) is None


@pytest.mark.parametrize(
    "text",
    [
        f"unsubscribe-{TOKEN}",
        f"UNSUBSCRIBE-{TOKEN.upper()}",
        f"Re: unsubscribe-{TOKEN} ",
        f"<unsubscribe+{TOKEN}@example.org>",
        f"[ext] unsubscribe-{TOKEN}.",
    ],
)
def test_what_mail_programs_put_around_a_request_is_passed_over(text: str) -> None:
    assert parse_leave_request(text) == TOKEN


@pytest.mark.parametrize(
    "text", ["", "unsubscribe", f"unsubscribe {TOKEN}", f"unsubscribe-{TOKEN}x", f"unsubscribe-{TOKEN[:-1]}", TOKEN]
)
def test_what_is_no_request_is_none(text: str) -> None:
    assert parse_leave_request(text) is None


@given(st.text(max_size=3000))
@example("unsubscribe-" * 1000)
@example(f"{'x' * 1990}unsubscribe-{TOKEN}")
def test_any_text_can_be_looked_at(text: str) -> None:
    found = parse_leave_request(text)
    assert found is None or len(found) == 32
