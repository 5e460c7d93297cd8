"""Letters go out, one after the other, and a crash loses none."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.config import Delivery as Rules
from newsletter.config import Outbox, Settings
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail, Transport
from newsletter.delivery.notices import NoticeDesk, NoticeTally, deliver_notices, open_notice_transport
from newsletter.delivery.policy import Fault
from newsletter.delivery.publish import Keys
from newsletter.errors import TransportError
from newsletter.model.edition import Edition
from newsletter.model.notice import NewNotice, NoticeLine
from newsletter.store.database import Database
from newsletter.store.notices import claim_notices, list_notices, write_notice
from tests.delivery.conftest import DROP, KEY, Relay
from tests.delivery.ledgers import BARRED, BUSY, LATER, LOST, NOBODY, OK, FakeTransport

NOW = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = Settings(delivery=Rules(first_retry_minutes=5))


@dataclass
class Post:
    """A database with letters in it, and a clock that is set by hand."""

    database: Database
    edition: Edition
    settings: Settings = SETTINGS
    now: datetime = NOW

    def write(self, *addresses: str, days: float = 3) -> None:
        with self.database.transaction() as connection:
            for address in addresses:
                new = NewNotice("welcome", address, "Hi", "Hello.\n", "en", self.now + days * DAY)
                write_notice(connection, new, self.now)

    def desk(self, transport: Transport) -> NoticeDesk:
        sender, keys = self.edition.sender, Keys(KEY)
        return NoticeDesk(self.database, transport, sender, keys, self.settings, lambda: self.now, lambda: 1.0)

    def deliver(self, transport: Transport) -> NoticeTally:
        return deliver_notices(self.desk(transport))

    def lines(self) -> list[NoticeLine]:
        with self.database.read() as connection:
            return list_notices(connection)[::-1]

    def states(self) -> list[str]:
        return [str(line.state) for line in self.lines()]


@pytest.fixture
def post(database: Database, edition: Edition) -> Post:
    return Post(database, edition)


def readers(*numbers: int) -> list[str]:
    return [f"reader{number}@example.org" for number in numbers]


def test_every_letter_that_is_due_goes_out_once_over_one_connection(post: Post) -> None:
    post.write(*readers(1, 2, 3))
    transport = FakeTransport()
    assert post.deliver(transport) == NoticeTally(sent=3)
    assert post.deliver(transport) == NoticeTally()
    assert [mail.rpartition(" ")[2] for mail in transport.sent] == transport.sent
    assert len(transport.sent) == 3
    assert (transport.knocks, [lane.closed for lane in transport.lanes]) == (1, [True])
    assert [(line.state, line.reply, line.attempts) for line in post.lines()] == [("sent", "250 2.0.0 queued", 1)] * 3


def test_nothing_due_opens_no_connection(post: Post) -> None:
    transport = FakeTransport()
    assert post.deliver(transport) == NoticeTally()
    assert transport.knocks == 0


def test_each_answer_is_about_its_letter(post: Post) -> None:
    post.write(*readers(1, 2, 3, 4))
    transport = FakeTransport({1: NOBODY, 2: LATER, 3: BARRED})
    assert post.deliver(transport) == NoticeTally(sent=1, deferred=2, failed=1)
    assert post.states() == ["failed", "queued", "queued", "sent"]
    post.now += timedelta(minutes=5)
    assert post.deliver(FakeTransport()) == NoticeTally(sent=2)


def test_a_letter_whose_answer_was_never_heard_is_sent_again(post: Post) -> None:
    post.write(*readers(1, 2))
    transport = FakeTransport({1: [LOST, OK]})
    assert post.deliver(transport) == NoticeTally(sent=1, deferred=1)
    assert transport.knocks == 2  # the first connection was lost
    post.now += timedelta(minutes=5)
    assert post.deliver(transport) == NoticeTally(sent=1)


def test_a_relay_that_takes_none_from_us_ends_the_run_and_blames_no_letter(post: Post) -> None:
    post.write(*readers(1, 2))
    tally = post.deliver(FakeTransport(doors=[BUSY]))
    assert (tally.sent, tally.deferred) == (0, 1)
    assert "doesn't take our mail" in tally.fault
    assert [line.attempts for line in post.lines()] == [0, 0]
    assert post.deliver(FakeTransport()).sent == 1
    post.now += timedelta(minutes=5)
    assert post.deliver(FakeTransport()).sent == 1


def test_a_letter_that_is_put_off_does_not_stand_in_the_way(post: Post) -> None:
    post.write(*readers(1))
    for _ in range(3):
        post.deliver(FakeTransport({1: LATER}))
        post.write(*readers(2))
        assert post.deliver(FakeTransport({1: LATER})).sent == 1
        post.now += timedelta(hours=1)


def test_what_could_not_be_sent_in_time_fails_with_the_last_answer(post: Post) -> None:
    post.write(*readers(1), days=0.5)
    post.deliver(FakeTransport({1: LATER}))
    post.now += DAY
    transport = FakeTransport()
    assert post.deliver(transport) == NoticeTally()
    assert transport.sent == []
    assert [(line.state, line.reply) for line in post.lines()] == [("failed", "450 4.2.1 greylisted")]


def test_a_letter_that_can_be_no_mail_fails_alone(post: Post) -> None:
    with post.database.transaction() as connection:
        evil = NewNotice("welcome", "reader1@example.org", "Hi\nBcc: all@example.org", "Hi", "en", NOW + DAY)
        write_notice(connection, evil, NOW)
    post.write(*readers(2))
    assert post.deliver(FakeTransport()) == NoticeTally(sent=1, failed=1)
    assert "it can't be a mail" in post.lines()[0].reply


def test_a_run_stops_when_it_is_told_to(post: Post) -> None:
    post.write(*readers(1, 2, 3))
    transport = FakeTransport()
    desk = replace(post.desk(transport), should_stop=lambda: len(transport.sent) >= 1)
    assert deliver_notices(desk).sent == 1
    assert post.states() == ["sent", "queued", "queued"]


def test_two_senders_at_once_send_each_letter_once(post: Post) -> None:
    numbers = range(1, 13)
    post.write(*readers(*numbers))
    transports = [FakeTransport(), FakeTransport()]
    with ThreadPoolExecutor(2) as pool:
        tallies = list(pool.map(post.deliver, transports))
    assert sum(tally.sent for tally in tallies) == 12
    assert sorted(transports[0].sent + transports[1].sent) == sorted(set(transports[0].sent + transports[1].sent))


def test_what_a_sender_that_died_had_claimed_is_sent_by_the_next(post: Post) -> None:
    post.write(*readers(1))
    program = (
        "import sys\n"
        "from datetime import datetime, timedelta\n"
        "from newsletter.delivery.owner import load_owner\n"
        "from newsletter.store.database import open_database\n"
        "from newsletter.store.notices import claim_notices\n"
        "now = datetime.fromisoformat(sys.argv[2])\n"
        "with open_database(sys.argv[1]) as database, database.transaction() as connection:\n"
        "    assert claim_notices(connection, load_owner('x'), now + timedelta(hours=9), now, 1)\n"
    )
    url = post.database._engine.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", program, url, NOW.isoformat()], check=True)
    assert post.states() == ["sending"]
    assert post.deliver(FakeTransport()) == NoticeTally(sent=1)


def test_what_a_living_sender_holds_is_left_to_it(post: Post) -> None:
    post.write(*readers(1))
    desk = post.desk(FakeTransport())
    with post.database.transaction() as connection:
        claim_notices(connection, desk.owner, NOW + DAY, NOW, 1)
    assert post.deliver(FakeTransport()) == NoticeTally()
    post.now += DAY
    assert post.deliver(FakeTransport()) == NoticeTally(sent=1)


@dataclass
class BrokenTransport:
    """Breaks as soon as it is given a mail."""

    name: str = "broken"
    width: int = 1
    lanes: "list[BrokenLane]" = field(default_factory=list)

    async def open_lane(self) -> Lane | Fault:
        self.lanes.append(BrokenLane())
        return self.lanes[-1]


class BrokenLane:
    usable = True
    closed = False

    async def pump(
        self,
        next_mail: Callable[[], Mail | None],
        before_body: Callable[[Mail], None],
        on_result: Callable[[Mail, Result], None],
    ) -> None:
        assert next_mail() is not None
        raise TransportError("no room")

    def stop(self) -> None:
        """Nothing is under way."""

    async def close(self) -> None:
        self.closed = True


def test_a_transport_that_breaks_gives_its_letter_back(post: Post) -> None:
    post.write(*readers(1))
    transport = BrokenTransport()
    with pytest.raises(TransportError, match="no room"):
        post.deliver(transport)
    assert post.states() == ["queued"]
    assert transport.lanes[0].closed
    assert post.deliver(FakeTransport()) == NoticeTally(sent=1)


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_without_a_relay_each_letter_is_a_file_of_its_own(post: Post, tmp_path: Path) -> None:
    post.settings = Settings(outbox=Outbox(folder=tmp_path / "outbox"))
    post.write("ann@example.org", "ann@example.org", "jörg@xn--mller-kva.de")
    assert post.deliver(open_notice_transport(post.settings, {})).sent == 3
    names = sorted(path.name for path in (tmp_path / "outbox" / "notices").iterdir())
    assert names == ["ann@example.org-1.eml", "ann@example.org-2.eml", "j_rg@xn--mller-kva.de-0-3.eml"]
    assert "Hello." in (tmp_path / "outbox" / "notices" / names[0]).read_text()


@pytest.mark.parametrize("engine_name", ["sqlite"])
async def test_a_relay_gets_each_letter_with_its_own_return_address(post: Post) -> None:
    post.write("ann@example.org", "bob@example.org")
    async with Relay().serve() as relay:
        post.settings = Settings(smtp=relay.smtp(), delivery=Rules())
        tally = await asyncio.to_thread(lambda: post.deliver(open_notice_transport(post.settings, {})))
    assert tally == NoticeTally(sent=2)
    assert relay.recipients() == ["ann@example.org", "bob@example.org"]
    senders = [sender for sender, _, _ in relay.mails]
    assert all(sender.startswith("n+") for sender in senders)
    assert len(set(senders)) == 2
    assert relay.connections == 1


@pytest.mark.parametrize("engine_name", ["sqlite"])
@pytest.mark.parametrize(
    ("script", "state"),
    [({"dot": DROP}, "queued"), ({"rcpt": "550 5.1.1 nobody"}, "failed"), ({"mail": DROP}, "queued")],
)
async def test_a_relay_that_behaves_badly_costs_no_letter(post: Post, script: dict[str, str], state: str) -> None:
    post.write("ann@example.org")
    async with Relay(script).serve() as relay:
        post.settings = Settings(smtp=relay.smtp(), delivery=Rules())
        await asyncio.to_thread(lambda: post.deliver(open_notice_transport(post.settings, {})))
    assert post.states() == [state]
