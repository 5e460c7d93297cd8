"""A reader changes what he likes behind his link, and his record says what."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from newsletter.audience.policy_preferences import Choices, choices_of, describe_change
from newsletter.audience.preferences import Change, change_preferences, load_preferences
from newsletter.audience.privacy import erase_reader
from newsletter.mail.token import Purpose, make_token
from newsletter.model.consent import ConsentEvent
from newsletter.model.subscriber import Cadence, NewSubscriber, Subscriber, SubscriberState
from newsletter.store.consents import list_consents
from newsletter.store.subscribers import add_subscriber, mark_left
from tests.audience.door import DAY, FORM, KEY, NOW, OFFER, Door

ANN = "ann@example.org"
CHOSEN = Choices(frozenset({"agents"}), Cadence.WEEKLY, "de", NOW + 30 * DAY, "Ann Lee")


def _change(door: Door, reader: Subscriber, choices: Choices) -> Change | None:
    return change_preferences(door.database, OFFER, reader.id, choices, FORM, door.now)


def _record(door: Door, reader: Subscriber) -> list[tuple[ConsentEvent, str]]:
    with door.database.read() as connection:
        return [(line.event, line.detail) for line in list_consents(connection, reader.id)]


def test_all_choices_are_kept_at_once_and_told_in_the_record(door: Door) -> None:
    reader = door.admit(ANN)
    change = _change(door, reader, CHOSEN)
    assert change is not None
    assert (change.changed, change.problems, choices_of(change.subscriber)) == (True, (), CHOSEN)
    assert door.find(ANN) == change.subscriber
    said = "topics: everything → agents; cadence: each → weekly; language: none → de; "
    assert _record(door, reader)[-1] == ("changed", f"{said}paused until 2024-06-24T06:30+00:00; name")


def test_choosing_the_same_again_is_no_change(door: Door) -> None:
    reader = door.admit(ANN)
    _change(door, reader, CHOSEN)
    again = _change(door, reader, replace(CHOSEN, name=" Ann   Lee"))
    assert again is not None
    assert (again.changed, again.problems) == (False, ())
    assert len(_record(door, reader)) == 3


@pytest.mark.parametrize(
    ("choices", "field"),
    [
        (Choices(topics=frozenset({"gossip"})), "topics"),
        (Choices(language="tlh"), "language"),
        (Choices(name="a\x07b"), "name"),
        (Choices(paused_until=NOW + timedelta(days=367)), "paused_until"),
    ],
)
def test_what_cannot_be_chosen_is_named_and_nothing_is_changed(door: Door, choices: Choices, field: str) -> None:
    reader = door.admit(ANN)
    change = _change(door, reader, choices)
    assert change is not None
    assert ([problem.field for problem in change.problems], change.changed) == ([field], False)
    assert door.find(ANN) == reader


def test_what_a_reader_has_already_he_may_keep_though_it_is_offered_no_more(door: Door) -> None:
    with door.database.transaction() as connection:
        old = NewSubscriber(ANN, language="fr", topics=frozenset({"agents", "old-section"}))
        reader = add_subscriber(connection, old, door.now)[1]
    assert reader is not None
    change = _change(door, reader, replace(choices_of(reader), cadence=Cadence.MONTHLY))
    assert change is not None
    assert change.changed
    assert change.subscriber.topics == {"agents", "old-section"}


@pytest.mark.parametrize("until", [NOW, NOW - DAY])
def test_a_pause_that_is_over_is_none(door: Door, until: datetime) -> None:
    reader = door.admit(ANN)
    change = _change(door, reader, Choices(paused_until=until))
    assert change is not None
    assert (change.changed, change.subscriber.paused_until) == (False, None)


def test_a_pause_can_be_ended(door: Door) -> None:
    reader = door.admit(ANN)
    _change(door, reader, Choices(paused_until=NOW + DAY))
    change = _change(door, reader, Choices())
    assert change is not None
    assert (change.changed, change.subscriber.paused_until) == (True, None)
    assert _record(door, reader)[-1][1] == "not paused"


def test_who_left_or_was_erased_has_nothing_to_choose(door: Door) -> None:
    left, erased = door.admit(ANN), door.admit("bob@example.org")
    with door.database.transaction() as connection:
        mark_left(connection, ANN, door.now)
    erase_reader(door.database, erased.id, FORM, door.now)
    assert _change(door, left, CHOSEN) is None
    assert _change(door, erased, CHOSEN) is None
    assert _change(door, replace(left, id=99), CHOSEN) is None


def test_a_link_of_any_age_leads_to_its_reader_and_a_wrong_one_to_nobody(door: Door) -> None:
    reader = door.admit(ANN)
    seen = load_preferences(door.database, [KEY], door.link(Purpose.PREFERENCES, reader), door.now + 3650 * DAY)
    assert seen is not None
    assert (seen.subscriber, seen.moving_to) == (reader, "")
    wrong = [
        "",
        "a" * 32,
        make_token(b"o" * 32, Purpose.PREFERENCES, reader.id, 7),
        make_token(KEY, Purpose.UNSUBSCRIBE, reader.id, 7),
        make_token(KEY, Purpose.PREFERENCES, 99, 7),
        make_token(KEY, Purpose.PREFERENCES, 0, 0),
    ]
    assert [load_preferences(door.database, [KEY], text, door.now) for text in wrong] == [None] * len(wrong)


def test_who_left_is_seen_as_such_and_who_was_erased_not_at_all(door: Door) -> None:
    reader = door.admit(ANN)
    link = door.link(Purpose.PREFERENCES, reader)
    with door.database.transaction() as connection:
        mark_left(connection, ANN, door.now)
    seen = load_preferences(door.database, [KEY], link, door.now)
    assert seen is not None
    assert seen.subscriber.state is SubscriberState.LEFT
    erase_reader(door.database, reader.id, FORM, door.now)
    assert load_preferences(door.database, [KEY], link, door.now) is None


def test_a_change_of_name_is_told_without_the_name() -> None:
    assert describe_change(Choices(name="Ann"), Choices(name="Anna")) == "name"
    assert describe_change(CHOSEN, CHOSEN) == ""
