"""A copy of the database put back, on both engines: nobody is sent by itself what he may have had."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.app import App
from newsletter.config import DatabaseSettings, Delivery, Issues, Outbox, Publication, Secret, Settings, Site
from newsletter.errors import StoreError, UsageError
from newsletter.model.consent import ConsentEvent
from newsletter.model.delivery import Audit
from newsletter.model.subscriber import NewSubscriber, SubscriberState, SuppressionReason
from newsletter.publishing import Published, publish_issue
from newsletter.restoring import Restored, back_up_when_due, make_backup, reconcile_database, restore_copy, rotate
from newsletter.store.backup import list_backups
from newsletter.store.backup import put_back as put_back_file
from newsletter.store.choices import erase_subscriber, is_erased
from newsletter.store.consents import list_consents
from newsletter.store.controls import resend_unknown
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import load_edition
from newsletter.store.fences import list_fenced
from newsletter.store.operators import load_password_hash, load_session, open_session, save_password_hash
from newsletter.store.returns import suspend_readers
from newsletter.store.subscribers import (
    add_subscribers,
    count_subscribers,
    load_subscriber,
    mark_left,
    walk_subscribers,
)

NOW = datetime.now(UTC).replace(microsecond=0)  # publishing reads the clock itself
TUESDAY, WEDNESDAY, THURSDAY = (str((NOW + timedelta(days=number)).date()) for number in (-1, 0, 1))
ISSUE = "---\ntitle: Papers of {day}\ndate: {day}\n---\n\n## News\n\n### [A paper of {day}](https://example.org/{day})\n\nIt.\n"


class House:
    """A publication with readers, whose database is copied and put back as its engine does it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.outbox = folder / "outbox"
        (folder / "issues").mkdir(exist_ok=True)

    def open(self, journal: str = "journal") -> App:
        folder = self.folder
        return App(
            Settings(
                database=DatabaseSettings(url=self.url, backups=folder / "backups"),
                delivery=Delivery(journal=folder / journal),
                issues=Issues(folder=folder / "issues"),
                outbox=Outbox(folder=self.outbox),
                publication=Publication(time_zone="UTC"),
                secret=Secret(file=folder / "newsletter.secret"),
                site=Site(folder=folder / "public"),
            )
        )

    def add(self, count: int) -> None:
        with self.open() as app, app.database.transaction() as connection:
            add_subscribers(connection, [NewSubscriber(f"reader{n}@example.org") for n in range(count)], NOW)

    def publish(self, day: str) -> Published:
        (self.folder / "issues" / f"{day}.md").write_text(ISSUE.format(day=day))
        with self.open() as app:
            return publish_issue(app, day, correct=False, another=False, progress=lambda done, total: None)

    def publish_and_count(self, day: str) -> int:
        """Publish, and return how many mails went out by it."""
        shutil.rmtree(self.outbox, ignore_errors=True)
        self.publish(day)
        return len(list(self.outbox.rglob("*.eml")))

    def audit(self, day: str) -> Audit:
        with self.open() as app, app.database.read() as connection:
            stored = load_edition(connection, day)
            assert stored is not None
            found = count_deliveries(connection, stored.id)
        assert found.holds
        return found


@pytest.fixture
def house(ledger_url: str, tmp_path: Path) -> House:
    house = House(tmp_path, ledger_url)
    house.add(5)
    return house


@pytest.fixture
def take(house: House, engine_name: str, request: pytest.FixtureRequest) -> Callable[[], Callable[..., Restored]]:
    """Take a copy now, and return what puts it back: by our commands on SQLite, by the server's means on PostgreSQL."""

    def take_file() -> Callable[..., Restored]:
        with house.open() as app:
            copy = make_backup(app, NOW)

        def put_back(*, only_sender: bool = True, journal: str = "journal") -> Restored:
            with house.open(journal) as app:
                return restore_copy(app, copy, NOW, only_sender=only_sender)

        return put_back

    def take_database() -> Callable[..., Restored]:
        cluster: Any = request.getfixturevalue("postgres")
        copy = copy_of(cluster, house.url)

        def put_back(*, only_sender: bool = True, journal: str = "journal") -> Restored:
            house.url = copy_of(cluster, copy)
            with house.open(journal) as app:
                return reconcile_database(app, NOW, only_sender=only_sender)

        return put_back

    return take_file if engine_name == "sqlite" else take_database


def copy_of(cluster: Any, url: str) -> str:
    """Make a database that is the same as another one, as pg_dump and pg_restore would."""
    base, _, name = url.rpartition("/")
    copy = f"{name}_{len(list(cluster.folder.iterdir()))}_{id(object())}"
    cluster.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")
    return f"{base}/{copy}"


Take = Callable[[], Callable[..., Restored]]


def test_what_was_sent_after_the_copy_was_made_is_not_sent_again(house: House, take: Take) -> None:
    house.publish(TUESDAY)
    put_back = take()
    assert house.publish_and_count(WEDNESDAY) == 5
    done = put_back()
    assert done.compared
    assert done.reconciled.fenced == (f"slug:{WEDNESDAY}",)
    assert house.publish_and_count(WEDNESDAY) == 0
    assert house.audit(WEDNESDAY).unknown == 5
    assert house.publish_and_count(THURSDAY) == 5


def test_who_waited_when_the_copy_was_made_and_was_sent_since_is_unknown(house: House, take: Take) -> None:
    (house.folder / "outbox").write_text("in the way: nothing can be sent")
    with pytest.raises(Exception, match="outbox"):
        house.publish(TUESDAY)
    put_back = take()
    (house.folder / "outbox").unlink()
    assert house.publish_and_count(TUESDAY) == 5
    done = put_back()
    assert done.reconciled.unknown == {TUESDAY: 5}
    assert house.publish_and_count(TUESDAY) == 0


def test_when_nothing_was_sent_since_nobody_is_doubted_but_who_was_signed_in(house: House, take: Take) -> None:
    house.publish(TUESDAY)
    with house.open() as app, app.database.transaction() as connection:
        save_password_hash(connection, "$argon2id$", NOW)
        open_session(connection, "a" * 64, "$argon2id$", NOW)
    done = take()()
    assert (done.reconciled.unknown, done.reconciled.fenced) == ({}, ())
    with house.open() as app, app.database.read() as connection:
        assert (load_password_hash(connection), load_session(connection, 1)) == ("$argon2id$", None)
    assert house.publish_and_count(WEDNESDAY) == 5


def test_until_it_is_compared_nothing_is_sent(house: House, engine_name: str, request: Any) -> None:
    """Somebody puts a copy back by other means, and goes on as if nothing had happened."""
    house.publish(TUESDAY)
    if engine_name == "sqlite":
        with house.open() as app:
            copy = make_backup(app, NOW)
        house.publish(WEDNESDAY)
        for file in house.folder.glob("newsletter.db*"):
            file.unlink()
        shutil.copy(copy, house.folder / "newsletter.db")
    else:
        cluster = request.getfixturevalue("postgres")
        copied = copy_of(cluster, house.url)
        house.publish(WEDNESDAY)
        house.url = copied
    shutil.rmtree(house.outbox)
    for day in (WEDNESDAY, THURSDAY):
        with pytest.raises(StoreError, match="newsletter restore"):
            house.publish(day)
    with house.open() as app:
        done = reconcile_database(app, NOW, only_sender=True)
    assert done.reconciled.unknown == {WEDNESDAY: 5}  # it was published before, and not sent
    assert house.publish_and_count(WEDNESDAY) == 0
    assert house.publish_and_count(THURSDAY) == 5


def test_on_another_machine_everything_may_have_been_sent(house: House, take: Take) -> None:
    """The disk with the journal is gone, and with it the fence."""
    house.publish(TUESDAY)
    put_back = take()
    house.publish(WEDNESDAY)
    done = put_back(journal="another")
    assert not done.compared
    assert f"day:{WEDNESDAY}" in done.reconciled.fenced
    shutil.rmtree(house.folder / "journal")
    (house.folder / "another").rename(house.folder / "journal")
    assert house.publish_and_count(WEDNESDAY) == 0
    assert house.audit(WEDNESDAY).unknown == 5


def test_a_copy_put_back_twice(house: House, take: Take) -> None:
    house.publish(TUESDAY)
    put_back = take()
    house.publish(WEDNESDAY)
    put_back()
    house.publish(THURSDAY)
    done = put_back()
    assert done.reconciled.fenced == (f"slug:{WEDNESDAY}", f"slug:{THURSDAY}")
    assert house.publish_and_count(THURSDAY) == 0


def test_the_operator_can_have_it_sent_all_the_same(house: House, take: Take) -> None:
    put_back = take()
    house.publish(WEDNESDAY)
    put_back()
    house.publish(WEDNESDAY)
    with house.open() as app, app.database.transaction() as connection:
        stored = load_edition(connection, WEDNESDAY)
        assert stored is not None
        resend_unknown(connection, stored.id, NOW)
    assert house.publish_and_count(WEDNESDAY) == 5
    assert house.audit(WEDNESDAY).sent == 5


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_on_postgresql_other_machines_may_have_sent_too(house: House, take: Take) -> None:
    (house.folder / "outbox").write_text("in the way: nothing can be sent")
    with pytest.raises(Exception, match="outbox"):
        house.publish(TUESDAY)
    put_back = take()
    (house.folder / "outbox").unlink()
    done = put_back(only_sender=False)
    assert done.reconciled.unknown == {TUESDAY: 5}
    with house.open() as app:
        with pytest.raises(UsageError, match="pg_dump"):
            make_backup(app, NOW)
        with app.database.read() as connection:
            assert f"day:{WEDNESDAY}" in list_fenced(connection)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_what_is_replaced_is_kept_and_strangers_are_refused(house: House, tmp_path: Path) -> None:
    house.publish(TUESDAY)
    with house.open() as app:
        copy = make_backup(app, NOW)
    with house.open() as app:
        done = restore_copy(app, copy, NOW, only_sender=True)
    assert done.copied_at == NOW
    assert done.replaced == house.folder / "backups" / f"newsletter-replaced-{NOW:%Y%m%dT%H%M%SZ}.db"
    assert done.replaced.is_file()
    (tmp_path / "other").mkdir()
    other = House(tmp_path / "other", f"sqlite:///{tmp_path / 'other' / 'newsletter.db'}")
    other.add(2)
    other.publish(TUESDAY)
    with other.open() as app:
        with pytest.raises(StoreError, match="of another database"):
            restore_copy(app, copy, NOW, only_sender=True)
        (tmp_path / "text.db").write_text("no database at all")
        with pytest.raises(StoreError, match="no sound copy"):
            restore_copy(app, tmp_path / "text.db", NOW, only_sender=True)
    assert other.audit(TUESDAY).sent == 2


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_who_is_gone_since_the_copy_was_made_is_gone_in_it_for_the_same_reason(house: House) -> None:
    house.publish(TUESDAY)
    with house.open() as app:
        copy = make_backup(app, NOW - timedelta(hours=2))
        with app.database.transaction() as connection:
            readers = [load_subscriber(connection, number) for number in range(1, 6)]
            left, bounced, complained, erased, stays = [reader for reader in readers if reader is not None]
            mark_left(connection, left.address, NOW - timedelta(hours=1))
            suspend_readers(connection, [bounced], SuppressionReason.BOUNCED, NOW)
            suspend_readers(connection, [complained], SuppressionReason.COMPLAINED, NOW)
            suspend_readers(connection, [erased], SuppressionReason.COMPLAINED, NOW)
            erase_subscriber(connection, erased, NOW)
        done = restore_copy(app, copy, NOW, only_sender=True)
    assert done.carried == 4
    with house.open() as app, app.database.read() as connection:
        states = {reader.address: reader.state for reader in walk_subscribers(connection)}
        assert states == {
            left.address: SubscriberState.LEFT,
            bounced.address: SubscriberState.SUSPENDED,
            complained.address: SubscriberState.SUSPENDED,
            stays.address: SubscriberState.ACTIVE,
        }
        counts = count_subscribers(connection)
        assert list(counts.values()) == [0, 1, 1, 2]
        gone = load_subscriber(connection, left.id)
        assert gone is not None
        assert gone.left_at == NOW - timedelta(hours=1)
        last = list_consents(connection, left.id)[-1]
        assert (last.event, last.origin.source, last.at) == (ConsentEvent.LEFT, "restore", NOW - timedelta(hours=1))
        forgotten = load_subscriber(connection, erased.id)
        assert forgotten is not None
        assert is_erased(forgotten)
    assert house.publish_and_count(THURSDAY) == 1


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_backups_are_rotated(house: House) -> None:
    with house.open() as app:
        for days in range(20):
            make_backup(app, datetime(2024, 5, 25, tzinfo=UTC) - timedelta(days=days))
        assert len(rotate(app)) == 12
        assert len(list_backups(house.folder / "backups", house.folder / "newsletter.db")) == 8


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_copy_from_the_future_is_not_the_newest_one(house: House) -> None:
    with house.open() as app:
        assert back_up_when_due(app, NOW + timedelta(days=300))
        made = [back_up_when_due(app, NOW + timedelta(minutes=minutes)) for minutes in (0, 10, 20, 1439, 1440)]
    assert [copy is not None for copy in made] == [True, False, False, False, True]


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_what_a_worker_sends_during_the_restore_is_not_sent_again(
    house: House, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.publish(TUESDAY)
    put_back = take()
    put_back()  # the copy is of another life than what is replaced now
    house.publish(TUESDAY)
    sent: list[int] = []

    def send_and_put_back(copy: Path, database: Path) -> None:
        sent.append(house.publish_and_count(WEDNESDAY))
        put_back_file(copy, database)

    monkeypatch.setattr("newsletter.restoring.put_back", send_and_put_back)
    done = put_back()
    assert (sent, done.reconciled.fenced) == ([5], (f"slug:{WEDNESDAY}",))
    assert house.publish_and_count(WEDNESDAY) == 0
    assert house.publish_and_count(THURSDAY) == 5
