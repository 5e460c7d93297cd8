"""The town of `soak.py`: a publication with its scheduler and worker, its readers, and the relay before them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from benchmarks.crash_slots import load_templates
from newsletter.app import App
from newsletter.audience.confirming import confirm
from newsletter.audience.joining import ask_to_join
from newsletter.audience.leaving import unsubscribe
from newsletter.audience.policy_joining import JoinForm, JoinStatus
from newsletter.audience.policy_preferences import choices_of
from newsletter.audience.preferences import change_preferences
from newsletter.config import (
    Alerts,
    Bounces,
    DatabaseSettings,
    Delivery,
    Issues,
    Outbox,
    Publication,
    Rollups,
    Schedule,
    Secret,
    Settings,
    Site,
)
from newsletter.delivery.brake import Brake
from newsletter.delivery.desk import Tally
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail
from newsletter.delivery.policy import Phase
from newsletter.delivery.publish import send_edition
from newsletter.mail.token import Purpose
from newsletter.model.consent import Origin
from newsletter.model.delivery import Reply
from newsletter.model.subscriber import Cadence, NewSubscriber, SubscriberState
from newsletter.schedule.posts import Post
from newsletter.schedule.ticks import TICKS, run_tick
from newsletter.store.editions import StoredEdition
from newsletter.store.schema import requests, subscribers
from newsletter.store.subscribers import add_subscribers, find_subscriber

ZONE: Final = ZoneInfo("Europe/Berlin")
FIRST: Final = date(2024, 3, 15)  # a Friday; clocks change on the 31st
AT: Final = time(7, 30)
SECTIONS: Final = ("Agents", "Evaluations", "Safety")


@dataclass(slots=True)
class Numbers:
    """What there was to see."""

    days: int = 0
    editions: int = 0
    accepted: int = 0
    deferred: int = 0
    refused: int = 0
    unheard: int = 0
    came_back: int = 0
    joined: int = 0
    left: int = 0
    changed: int = 0
    suspended: int = 0
    copies: int = 0


@dataclass(slots=True)
class Town:
    """A publication and its readers; `now` is everybody's clock. What was wrong is in `problems`."""

    folder: Path
    url: str
    chance: random.Random
    now: datetime = datetime.combine(FIRST, time(), ZONE).astimezone(UTC) - timedelta(hours=12)
    numbers: Numbers = field(default_factory=Numbers)
    problems: list[str] = field(default_factory=list)
    taken: dict[tuple[int, str], int] = field(default_factory=dict)
    left: dict[str, datetime] = field(default_factory=dict)
    issues: list[tuple[str, bool]] = field(default_factory=list)
    newcomers: int = 0
    calm: int = 25
    """Mails between two things that readers do."""

    put_off: float = 0.05
    """The share of mails that are taken later only."""

    _mails: int = 0
    _post: Post | None = None

    @property
    def post(self) -> Post:
        """Return the scheduler and worker."""
        if self._post is None:
            app = App(self._settings())
            app.__dict__["environment"] = load_templates()
            self._post = Post(app, Brake(), lambda: self.now)
            self._post.sender.send = self._send
        return self._post

    def _settings(self) -> Settings:
        folder = self.folder
        return Settings(
            alerts=Alerts(editor=("editor@example.org",)),
            bounces=Bounces(maildir=folder / "bounces"),
            database=DatabaseSettings(url=self.url, backups=folder / "backups"),
            delivery=Delivery(journal=folder / "journal", claim_ahead=100),
            issues=Issues(folder=folder / "issues", sections=SECTIONS),
            outbox=Outbox(folder=folder / "outbox"),
            publication=Publication(title="Daily", time_zone=ZONE.key),
            rollups=Rollups(weekly="sun 09:00", monthly="1 09:00"),
            schedule=Schedule(at=f"{AT:%H:%M}"),
            secret=Secret(file=folder / "newsletter.secret"),
            site=Site(folder=folder / "public"),
        )

    def _send(self, stored: StoredEdition) -> Tally:
        app, post = self.post.app, self.post
        relay = Relay(self)
        keys, quiet = app.keys, lambda _tally: None
        return send_edition(app.database, stored, relay, keys, app.settings, quiet, post.clock, None, post.brake)

    def settle_in(self, readers: int) -> None:
        """Let the first readers join; every tenth never changes what he chose, and his mailbox always takes mail."""
        steady = [(Cadence.EACH, ""), (Cadence.EACH, "safety"), (Cadence.WEEKLY, ""), (Cadence.MONTHLY, "")]
        new = []
        for number in range(readers):
            if number % 10 == 0:
                cadence, topic = steady[number // 10 % len(steady)]
                name = f"steady-{cadence}-{topic or 'all'}-{number}"
            else:
                cadence, topic = self._choose()
                name = f"reader-{number}"
            topics = frozenset({topic} - {""})
            new.append(NewSubscriber(f"{name}@d{number % 7}.example", cadence=cadence, topics=topics))
        for box in ("new", "cur", "tmp"):
            (self.folder / "bounces" / box).mkdir(parents=True)
        (self.folder / "issues").mkdir()
        with self.post.app.database.transaction() as connection:
            add_subscribers(connection, new, self.now)
        self.look()

    def _choose(self) -> tuple[Cadence, str]:
        cadence = self.chance.choices(list(Cadence), [8, 2, 1])[0]
        return cadence, self.chance.choice(["", "", *(section.lower() for section in SECTIONS)])

    def look(self) -> None:
        """Do what a scheduler and a worker do, once; calls to other programs aside."""
        for tick in TICKS:
            if tick.name != "calls" and not run_tick(self.post, tick):
                self.problems.append(f"{self.now}: tick {tick.name} failed")

    def take(self, mail: Mail) -> Result:
        """Be the readers' servers: take a mail, put it off, refuse it, or fall silent."""
        self._mails += 1
        if self._mails % self.calm == 0:
            self._stir()
        row, steady = mail.key, mail.key.address.startswith("steady-")
        if not steady and _fate(row.address) < 0.02:
            self.numbers.refused += 1
            return Result(Phase.RCPT, Reply(550, "5.1.1", f"<{row.address}>: no such user here"))
        if not steady and self.chance.random() < self.put_off:
            self.numbers.deferred += 1
            return Result(Phase.RCPT, Reply(450, "4.2.1", "the mailbox is busy, come back later"))
        key = (row.edition_id, row.address)
        self.taken[key] = self.taken.get(key, 0) + 1
        self.numbers.accepted += 1
        if not steady and self.chance.random() < 0.001:
            self.numbers.unheard += 1
            return Result(Phase.DOT, Reply(0, "", "the connection was lost"))
        if not steady and 0.02 <= _fate(row.address) < 0.04:
            self._return(mail)
        return Result(Phase.DOT, Reply(250, "2.0.0", "taken"))

    def _return(self, mail: Mail) -> None:
        """Send a mail back that was taken: the mailbox isn't there."""
        self.numbers.came_back += 1
        sender = mail.envelope.split(b"<")[1].split(b">")[0].decode()
        path = self.folder / "bounces" / "new" / f"{self.numbers.came_back:06}"
        path.write_text(_BOUNCE.format(sender=sender, address=mail.key.address), encoding="ascii")

    def _stir(self) -> None:
        """Let a reader do something, while mail goes out."""
        deeds = (self._join, self._leave, self._change, self._join)
        deeds[self._mails // self.calm % len(deeds)]()

    def _join(self) -> None:
        self.newcomers += 1
        cadence, topic = self._choose()
        address = f"new-{self.newcomers}@d{self.newcomers % 7}.example"
        origin = Origin("form", client=f"198.51.{self.newcomers // 250 % 250}.{self.newcomers % 250}")
        app, form = self.post.app, JoinForm(address, topics=frozenset({topic} - {""}), cadence=cadence)
        answer = ask_to_join(app.database, app.reception, form, origin, self.now)
        if answer.status is not JoinStatus.ACCEPTED:
            self.problems.append(f"{self.now}: {address} could not join: {answer}")
        elif self.chance.random() < 0.8:
            with app.database.read() as connection:
                request = connection.execute(select(func.max(requests.c.id))).scalar_one()
            link = app.reception.make_link(Purpose.CONFIRM, request)
            done = confirm(app.database, app.reception, link, origin, self.now)
            self.numbers.joined += bool(done and done.changed)

    def _pick(self) -> int | None:
        """Return the number of an active reader who isn't steady."""
        active = (subscribers.c.state == SubscriberState.ACTIVE) & ~subscribers.c.address.startswith("steady-")
        with self.post.app.database.read() as connection:
            found = (
                connection.execute(select(subscribers.c.id).where(active).order_by(subscribers.c.id)).scalars().all()
            )
        return self.chance.choice(found) if found else None

    def _leave(self) -> None:
        app, number = self.post.app, self._pick()
        if number is not None:
            link = app.reception.make_link(Purpose.UNSUBSCRIBE, number)
            done = unsubscribe(app.database, app.link_keys, link, Origin("one-click"), self.now)
            if done and done.changed:
                self.numbers.left += 1
                self.left[done.subscriber.address] = self.now

    def _change(self) -> None:
        app, number = self.post.app, self._pick()
        if number is None:
            return
        cadence, topic = self._choose()
        with app.database.read() as connection:
            address = connection.execute(select(subscribers.c.address).where(subscribers.c.id == number)).scalar_one()
            reader = find_subscriber(connection, address)
        if reader:
            choices = replace(choices_of(reader), cadence=cadence, topics=frozenset({topic} - {""}))
            offer = app.reception.offer
            done = change_preferences(app.database, offer, number, choices, Origin("preferences"), self.now)
            self.numbers.changed += bool(done and done.changed)


@dataclass(frozen=True, slots=True)
class Relay:
    """Takes mail for the town's readers."""

    town: Town
    name: str = "relay"
    width: int = 2

    async def open_lane(self) -> Lane:
        """Return a lane."""
        return _Lane(self.town)


class _Lane:
    usable = True

    def __init__(self, town: Town) -> None:
        self._town = town

    async def pump(
        self,
        next_mail: Callable[[], Mail | None],
        before_body: Callable[[Mail], None],
        on_result: Callable[[Mail, Result], None],
    ) -> None:
        while (mail := next_mail()) is not None:
            before_body(mail)
            on_result(mail, self._town.take(mail))

    def stop(self) -> None:
        """Do nothing: there is never much left."""

    async def close(self) -> None:
        """Do nothing."""


def _fate(address: str) -> float:
    """Return a number from 0 to 1 that is the same for an address every day."""
    return random.Random(address).random()  # noqa: S311 - a simulation


def compose_issue(day: date, number: int, *, broken: bool = False) -> str:
    """Return the file of a day's issue; not every section comes every day."""
    sections = ["Agents", *(["Evaluations"] if number % 2 == 0 else []), *(["Safety"] if number % 3 == 0 else [])]
    parts = [f"---\ntitle: Papers of {day}\ndate: {day}\n---\n"]
    for section in sections:
        link = "notaurl" if broken else f"https://example.org/{day}/{section.lower()}"
        parts.append(f"## {section}\n\n### [{section} of {day}]({link})\n\n**Why?** To see what comes of it.\n")
    return "\n".join(parts)


_BOUNCE: Final = """\
From: Mail Delivery System <mailer-daemon@relay.example>
To: <{sender}>
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

<{address}>: user unknown
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 user unknown

--b--
"""
