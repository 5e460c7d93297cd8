"""Whoever knocks is told the same, and only the owner of an address can open."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from newsletter.audience.joining import ask_to_join
from newsletter.audience.policy_joining import JoinAnswer, JoinForm, JoinStatus
from newsletter.audience.privacy import erase_reader
from newsletter.model.consent import Origin
from newsletter.model.notice import LetterKind
from newsletter.model.subscriber import Cadence, NewSubscriber, SubscriberState, SuppressionReason
from newsletter.store.bounces import suspend_reader
from newsletter.store.consents import list_consents
from newsletter.store.database import Database
from newsletter.store.schema import notices, requests, subscribers
from newsletter.store.subscribers import add_subscriber, add_subscribers, mark_left
from newsletter.store.suppression import find_reason
from tests.audience.door import DAY, FORM, HOUR, Door, make_reception

ACCEPTED = JoinAnswer(JoinStatus.ACCEPTED)
THROTTLED = JoinAnswer(JoinStatus.THROTTLED)
ANN = "Ann@example.org"


def leave_unknown(door: Door) -> None:
    """Nobody knows the address."""


def make_pending(door: Door) -> None:
    with door.database.transaction() as connection:
        add_subscriber(connection, NewSubscriber(ANN, state=SubscriberState.PENDING), door.now)


def make_active(door: Door) -> None:
    with door.database.transaction() as connection:
        add_subscriber(connection, NewSubscriber(ANN, "Ann", language="de"), door.now)


def make_left(door: Door) -> None:
    make_active(door)
    with door.database.transaction() as connection:
        mark_left(connection, ANN, door.now)


def keep_out(door: Door) -> None:
    with door.database.transaction() as connection:
        mark_left(connection, ANN, door.now)


def _suspend(door: Door, reason: SuppressionReason) -> None:
    make_active(door)
    reader = door.find(ANN)
    assert reader is not None
    with door.database.transaction() as connection:
        suspend_reader(connection, reader, reason, door.now)


def let_bounce(door: Door) -> None:
    _suspend(door, SuppressionReason.BOUNCED)


def complain(door: Door) -> None:
    _suspend(door, SuppressionReason.COMPLAINED)


def erase(door: Door) -> None:
    make_active(door)
    reader = door.find(ANN)
    assert reader is not None
    erase_reader(door.database, reader.id, FORM, door.now)


STANDINGS: dict[Callable[[Door], None], LetterKind | None] = {
    leave_unknown: LetterKind.CONFIRM_JOIN,
    make_pending: LetterKind.CONFIRM_JOIN,
    make_active: LetterKind.ALREADY_READS,
    make_left: LetterKind.CONFIRM_JOIN,
    keep_out: LetterKind.CONFIRM_JOIN,
    let_bounce: LetterKind.CONFIRM_JOIN,
    erase: LetterKind.CONFIRM_JOIN,
    complain: None,
}
standings = pytest.mark.parametrize("stand", STANDINGS, ids=lambda stand: stand.__name__)


@standings
def test_whoever_asks_is_told_the_same_and_the_owner_gets_what_is_for_him(
    door: Door, stand: Callable[[Door], None]
) -> None:
    stand(door)
    assert door.join(ANN, name="Mallory", cadence=Cadence.MONTHLY, topics=frozenset({"agents"})) == ACCEPTED
    kind = STANDINGS[stand]
    assert [(mail.kind, mail.address) for mail in door.mails()] == ([(kind, ANN)] if kind else [])


@standings
def test_asking_changes_nothing_of_a_reader(door: Door, stand: Callable[[Door], None]) -> None:
    stand(door)
    before = door.find(ANN)
    door.join("ANN@EXAMPLE.org", name="Mallory", cadence=Cadence.MONTHLY, language="de")
    after = door.find(ANN)
    if before is None:
        assert after is not None
        assert (after.state, after.name, after.cadence) == (SubscriberState.PENDING, "", Cadence.EACH)
    else:
        assert after == before


def _watch(database: Database) -> list[str]:
    """Record what a database is told; how a savepoint ends is all the same."""
    told: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        told.append("END" if statement.startswith(("RELEASE", "ROLLBACK TO")) else statement)

    event.listen(database._engine, "before_cursor_execute", note)
    return told


@pytest.mark.parametrize("engine_name", ["sqlite"])  # the statements are composed by the same code
def test_the_same_work_is_done_whoever_has_the_address(door: Door) -> None:
    shapes = []
    told = _watch(door.database)
    for number, stand in enumerate(STANDINGS):
        with door.database.transaction() as connection:
            for table in reversed(subscribers.metadata.sorted_tables):
                connection.execute(table.delete())
        stand(door)
        door.now += DAY
        told.clear()
        door.join(ANN, client=f"192.0.2.{number}")
        shapes.append(list(told))
    assert len(shapes[0]) > 10
    assert all(shape == shapes[0] for shape in shapes)


def test_an_address_is_written_to_once_in_its_cooling_time(door: Door) -> None:
    assert [door.join(address) for address in (ANN, "ANN@example.org", "ann@EXAMPLE.ORG")] == [ACCEPTED] * 3
    door.now += HOUR - timedelta(seconds=1)
    assert door.join(ANN) == ACCEPTED
    assert len(door.mails()) == 1
    door.now += timedelta(seconds=1)
    assert door.join(ANN) == ACCEPTED
    assert len(door.mails()) == 1
    with door.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(requests)).scalar() == 2


@pytest.mark.parametrize("engine_name", ["sqlite"])  # what is asked of the store is asked of both elsewhere
def test_nobody_is_pestered_for_weeks(door: Door) -> None:
    arrived = []
    for _hour in range(3 * 7 * 24):
        door.join(ANN)
        arrived += [door.now] * len(door.mails())
        door.now += HOUR
    assert arrived[0] + 2 * HOUR == arrived[2]
    weeks = [[later for later in arrived if at <= later < at + 7 * DAY] for at in arrived]
    assert max(map(len, weeks)) == 5
    assert len(arrived) >= 11


def test_a_reader_is_reminded_in_his_own_language_with_his_own_links(door: Door) -> None:
    make_active(door)
    door.join(ANN, language="en")
    mail = door.mail()
    assert (mail.language, bool(mail.leave)) == ("de", True)
    door.now += DAY
    door.join("new@example.org", language="de")
    mail = door.mail()
    assert (mail.language, mail.leave) == ("de", "")


def test_one_client_causes_no_more_mails_than_its_limit(door: Door) -> None:
    door.reception = make_reception(per_client_per_hour=20, per_client_burst=10)
    answers = [door.join(f"victim{number}@example.org", client="198.51.100.7") for number in range(500)]
    assert answers == [ACCEPTED] * 10 + [THROTTLED] * 490
    assert len(door.mails()) == 10
    assert door.join("other@example.org", client="198.51.100.8") == ACCEPTED
    door.now += timedelta(minutes=3)
    assert [door.join(f"{number}@example.org", client="198.51.100.7") for number in range(2)] == [ACCEPTED, THROTTLED]


def test_a_client_over_its_limit_writes_nothing(door: Door) -> None:
    door.reception = make_reception(per_client_burst=1)
    door.join("a@example.org")
    told = _watch(door.database)
    assert door.join("b@example.org") == THROTTLED
    assert all(statement.startswith(("SELECT", "BEGIN")) for statement in told)
    assert door.find("b@example.org") is None


def test_a_network_of_ipv6_addresses_is_one_client(door: Door) -> None:
    door.reception = make_reception(per_client_burst=1)
    assert door.join("a@example.org", client="2001:db8:1:2::1") == ACCEPTED
    assert door.join("b@example.org", client="2001:db8:1:2:ffff::9") == THROTTLED
    assert door.join("c@example.org", client="2001:db8:1:3::1") == ACCEPTED


def test_all_clients_together_have_a_limit_that_one_alone_cannot_use_up(door: Door) -> None:
    door.reception = make_reception(per_hour=60, per_client_burst=5, per_client_per_hour=5)
    flood = [door.join(f"{number}@example.org", client="198.51.100.7") for number in range(100)]
    assert flood.count(ACCEPTED) == 5
    others = [door.join(f"other{number}@example.org", client=f"198.51.101.{number}") for number in range(8)]
    assert others == [ACCEPTED] * 5 + [THROTTLED] * 3


def test_without_double_opt_in_a_new_reader_reads_at_once_and_is_told(door: Door) -> None:
    door.reception = make_reception(double_opt_in=False)
    assert door.join(ANN, name="Ann", cadence=Cadence.WEEKLY, topics=frozenset({"agents"})) == ACCEPTED
    mail = door.mail()
    assert (mail.kind, bool(mail.leave)) == (LetterKind.WELCOME, True)
    reader = door.find(ANN)
    assert reader is not None
    assert (reader.state, reader.name, reader.cadence) == (SubscriberState.ACTIVE, "Ann", Cadence.WEEKLY)
    assert reader.topics == {"agents"}
    with door.database.read() as connection:
        assert [(line.event, line.origin.wording) for line in list_consents(connection, reader.id)] == [
            ("asked", FORM.wording)
        ]


@pytest.mark.parametrize("stand", [make_left, keep_out, let_bounce, erase])
def test_who_was_out_is_asked_even_without_double_opt_in(door: Door, stand: Callable[[Door], None]) -> None:
    stand(door)
    door.reception = make_reception(double_opt_in=False)
    assert door.join(ANN) == ACCEPTED
    assert door.mail().kind is LetterKind.CONFIRM_JOIN


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (JoinForm(""), ["address"]),
        (JoinForm("ann"), ["address"]),
        (JoinForm("a@b"), ["address"]),
        (JoinForm("ann@example.org\r\nBcc: all@example.org"), ["address"]),
        (JoinForm("ann\ud800@example.org"), ["address"]),
        (JoinForm("a" * 5000 + "@example.org"), ["address"]),
        (JoinForm(ANN, name="\x00"), ["name"]),
        (JoinForm(ANN, name="\ud800"), ["name"]),
        (JoinForm(ANN, name="n" * 201), ["name"]),
        (JoinForm(ANN, topics=frozenset({"gossip"})), ["topics"]),
        (JoinForm(ANN, language="tlh"), ["language"]),
        (JoinForm(ANN, language="de\r\nX: y"), ["language"]),
        (JoinForm("ann", "\x07", frozenset({"gossip"}), language="xx"), ["address", "name", "topics", "language"]),
    ],
)
@pytest.mark.parametrize("engine_name", ["sqlite"])  # nothing is stored
def test_every_field_that_is_wrong_is_named(door: Door, form: JoinForm, fields: list[str]) -> None:
    answer = ask_to_join(door.database, door.reception, form, FORM, door.now)
    assert answer.status is JoinStatus.INVALID
    assert [problem.field for problem in answer.problems] == fields
    assert all(problem.message.endswith(".") for problem in answer.problems)
    assert door.mails() == []


@pytest.mark.parametrize("address", ["jörg@müller.de", "用户@例子.广告", "ann+news@example.org", " ann@Example.ORG "])
def test_addresses_of_all_languages_are_welcome(door: Door, address: str) -> None:
    reader = door.admit(address)
    assert reader.address.rpartition("@")[2].isascii()
    assert reader.state is SubscriberState.ACTIVE


def test_the_wording_that_was_shown_is_kept_and_the_configs_where_none_was(door: Door) -> None:
    door.join(ANN)
    ask_to_join(door.database, door.reception, JoinForm("bob@example.org"), Origin("api", "192.0.2.1"), door.now)
    with door.database.read() as connection:
        kept = connection.execute(select(requests.c.wording).order_by(requests.c.id)).scalars().all()
    assert kept == [FORM.wording, door.reception.rules.wording]


def test_an_import_does_not_bring_back_who_left(door: Door) -> None:
    make_left(door)
    with door.database.transaction() as connection:
        assert add_subscribers(connection, [NewSubscriber(ANN)], door.now).suppressed == 1
        assert find_reason(connection, ANN.lower()) is SuppressionReason.LEFT


def test_letters_wait_with_what_they_tell_of_or_not_at_all(door: Door) -> None:
    def fail(_letter: object) -> object:
        raise RuntimeError("the template is broken")

    door.reception = replace(door.reception, write_letter=fail)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="broken"):
        door.join(ANN)
    assert door.find(ANN) is None
    with door.database.read() as connection:
        for table in (requests, notices):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
