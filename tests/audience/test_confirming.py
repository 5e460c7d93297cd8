"""A link in a mail does once what it is about, for the owner of the address and nobody else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.audience.confirming import load_open_request
from newsletter.audience.joining import expire_requests
from newsletter.audience.leaving import unsubscribe
from newsletter.audience.preferences import load_preferences
from newsletter.mail.token import Purpose, make_token
from newsletter.model.consent import Origin, RequestKind
from newsletter.model.subscriber import Cadence, NewSubscriber, SubscriberState, SuppressionReason
from newsletter.store.bounces import suspend_reader
from newsletter.store.consents import list_consents
from newsletter.store.subscribers import add_subscriber, count_subscribers
from newsletter.store.suppression import find_reason, suppress
from tests.audience.door import DAY, FORM, HOUR, KEY, NOW, Door
from tests.audience.test_joining import ANN, erase, keep_out, let_bounce, make_left

OTHER = b"o" * 32


def test_who_confirms_reads_with_what_he_chose_and_his_record_says_why(door: Door) -> None:
    door.join(ANN, name=" Ann  Lee ", topics=frozenset({"agents"}), cadence=Cadence.WEEKLY, language="de")
    token = door.mail().token
    door.now += HOUR
    done = door.confirm(token)
    assert done is not None
    reader = done.subscriber
    assert (done.kind, done.changed, reader.state) == (RequestKind.JOIN, True, SubscriberState.ACTIVE)
    assert (reader.name, reader.topics, reader.cadence) == ("Ann Lee", frozenset({"agents"}), Cadence.WEEKLY)
    assert (reader.language, reader.joined_at, reader.source) == ("de", door.now, "form")
    with door.database.read() as connection:
        lines = list_consents(connection, reader.id)
    assert [(line.event, line.at, line.origin) for line in lines] == [
        ("asked", NOW, FORM),
        ("confirmed", door.now, Origin("form", "192.0.2.9")),
    ]
    seen = load_preferences(door.database, [KEY], done.preferences, door.now)
    assert seen is not None
    assert seen.subscriber == reader


def test_confirming_again_changes_nothing(door: Door) -> None:
    door.join(ANN)
    token = door.mail().token
    first, second = door.confirm(token), door.confirm(token.upper())
    assert first is not None
    assert second is not None
    assert (first.changed, second.changed) == (True, False)
    assert first.subscriber == second.subscriber
    with door.database.read() as connection:
        assert len(list_consents(connection, first.subscriber.id)) == 2


def test_a_link_that_is_not_ours_or_too_old_does_nothing(door: Door) -> None:
    door.join(ANN)
    token = door.mail().token
    forged = [
        "",
        "x",
        "a" * 32,
        make_token(OTHER, Purpose.CONFIRM, 1, 0),
        make_token(KEY, Purpose.CONFIRM, 2, 0),
        *(make_token(KEY, purpose, 1, 0) for purpose in Purpose if purpose is not Purpose.CONFIRM),
    ]
    assert [door.confirm(text) for text in forged] == [None] * len(forged)
    door.now += 7 * DAY
    assert door.confirm(token) is None
    assert load_open_request(door.database, door.reception, token, door.now) is None
    found = door.find(ANN)
    assert found is not None
    assert found.state is SubscriberState.PENDING


def test_looking_at_a_link_changes_nothing(door: Door) -> None:
    door.join(ANN, topics=frozenset({"agents"}))
    token = door.mail().token
    request = load_open_request(door.database, door.reception, token, door.now)
    assert request is not None
    assert (request.request.address, request.confirmed_at) == (ANN, None)
    assert request.request.topics == {"agents"}
    assert load_open_request(door.database, door.reception, "a" * 32, door.now) is None
    found = door.find(ANN)
    assert found is not None
    assert found.state is SubscriberState.PENDING
    door.confirm(token)
    used = load_open_request(door.database, door.reception, token, door.now)
    assert used is not None
    assert used.confirmed_at == door.now


def test_a_link_signed_by_an_older_key_still_opens(door: Door) -> None:
    door.join(ANN)
    token = door.mail().token
    door.reception = replace(door.reception, keys=(OTHER, KEY))
    assert door.confirm(token) is not None
    door.join("bob@example.org")
    young = door.mail().token
    door.reception = replace(door.reception, keys=(KEY,))
    assert door.confirm(young) is None


@pytest.mark.parametrize("stand", [make_left, keep_out, let_bounce, erase])
def test_who_was_out_comes_back_by_confirming(door: Door, stand: Callable[[Door], None]) -> None:
    stand(door)
    door.join(ANN, cadence=Cadence.MONTHLY)
    assert door.find(ANN) is None or door.find(ANN).state is not SubscriberState.ACTIVE  # type: ignore[union-attr]
    done = door.confirm(door.mail().token)
    assert done is not None
    assert (done.changed, done.subscriber.state, done.subscriber.left_at) == (True, SubscriberState.ACTIVE, None)
    assert done.subscriber.cadence is Cadence.MONTHLY
    with door.database.read() as connection:
        assert find_reason(connection, ANN.lower()) is None


def test_who_complained_never_comes_back_by_himself(door: Door) -> None:
    door.join(ANN)
    token = door.mail().token
    with door.database.transaction() as connection:
        suppress(connection, [(ANN.lower(), ANN)], SuppressionReason.COMPLAINED, door.now)
    assert door.confirm(token) is None
    found = door.find(ANN)
    assert found is not None
    assert found.state is SubscriberState.PENDING


def test_a_complaint_after_leaving_is_heeded_too(door: Door) -> None:
    reader = door.admit(ANN)
    unsubscribe(door.database, [KEY], door.link(Purpose.UNSUBSCRIBE, reader), FORM, door.now)
    with door.database.transaction() as connection:
        suspend_reader(connection, reader, SuppressionReason.COMPLAINED, door.now)
    door.now += DAY
    door.join(ANN)
    assert door.mails() == []


def test_a_reader_keeps_what_he_chose_when_an_older_request_is_confirmed_late(door: Door) -> None:
    door.join(ANN, cadence=Cadence.MONTHLY)
    early = door.mail().token
    door.now += HOUR
    door.join(ANN, cadence=Cadence.WEEKLY)
    door.confirm(door.mail().token)
    late = door.confirm(early)
    assert late is not None
    assert (late.changed, late.subscriber.cadence) == (False, Cadence.WEEKLY)


def test_who_leaves_takes_back_what_he_asked_for_before(door: Door) -> None:
    door.join(ANN)
    early = door.mail().token
    door.now += HOUR
    reader = door.admit(ANN)
    unsubscribe(door.database, [KEY], door.link(Purpose.UNSUBSCRIBE, reader), FORM, door.now)
    assert door.confirm(early) is None
    door.now += HOUR
    door.join(ANN)
    assert door.confirm(door.mail().token) is not None


def test_a_used_link_brings_nobody_back(door: Door) -> None:
    door.join(ANN)
    token = door.mail().token
    done = door.confirm(token)
    assert done is not None
    unsubscribe(door.database, [KEY], door.link(Purpose.UNSUBSCRIBE, done.subscriber), FORM, door.now)
    again = door.confirm(token)
    assert again is not None
    assert (again.changed, again.subscriber.state) == (False, SubscriberState.LEFT)


def test_nothing_is_kept_of_who_never_confirmed(door: Door) -> None:
    door.join(ANN)
    door.join("bob@example.org")
    reader = door.confirm(door.mails()[1].token)
    assert reader is not None
    door.now += 7 * DAY
    assert expire_requests(door.database, door.now) == 2
    assert door.find(ANN) is None
    with door.database.read() as connection:
        assert count_subscribers(connection) == {"pending": 0, "active": 1, "left": 0, "suspended": 0}
    assert expire_requests(door.database, door.now) == 0


def test_an_imported_reader_who_is_pending_can_confirm_and_does_not_expire(door: Door) -> None:
    with door.database.transaction() as connection:
        add_subscriber(connection, NewSubscriber(ANN, "Ann", SubscriberState.PENDING, source="old list"), door.now)
    door.join(ANN)
    done = door.confirm(door.mail().token)
    assert done is not None
    assert (done.subscriber.name, done.subscriber.state) == ("Ann", SubscriberState.ACTIVE)


def test_many_requests_expire_in_steps(door: Door) -> None:
    for number in range(5):
        door.join(f"{number}@example.org")
    assert expire_requests(door.database, door.now + 7 * DAY, batch=2) == 5
