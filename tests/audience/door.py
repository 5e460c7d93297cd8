"""A reception for tests: letters that say nothing but what they are about, and what reached a mailbox."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from newsletter.audience.confirming import Confirmation, confirm
from newsletter.audience.joining import ask_to_join
from newsletter.audience.policy_joining import JoinAnswer, JoinForm, Offer
from newsletter.audience.reception import Reception
from newsletter.config import Joining
from newsletter.mail.token import Purpose, make_token
from newsletter.model.consent import Origin
from newsletter.model.edition import Edition, Sender
from newsletter.model.notice import Letter, LetterKind, NoticeSettlement, NoticeState, Writing
from newsletter.model.subscriber import Subscriber
from newsletter.store.database import Database
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.notices import claim_notices, settle_notices
from newsletter.store.subscribers import find_subscriber

KEY = b"k" * 32
NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FORM = Origin("form", "192.0.2.1", "Yes, send it to me.")
SENDER = Sender(
    name="Daily",
    address="news@example.org",
    reply_to="editor@example.org",
    bounce_domain="bounces.example.org",
    unsubscribe_address="unsubscribe@example.org",
    list_id="news.example.org",
    list_name="Daily",
    url="https://news.example.org",
)
OFFER = Offer({"agents": "LLM agents", "benchmarks": "Benchmarks"}, ("en", "de"))


@dataclass(frozen=True)
class Mail:
    """A letter that arrived."""

    address: str
    kind: LetterKind
    token: str
    leave: str
    language: str


def write_letter(letter: Letter) -> Writing:
    said = {"token": letter.token, "leave": letter.leave, "address": letter.address}
    return Writing(f"{letter.kind}", json.dumps(said), "", letter.language or "en")


def make_reception(**rules: object) -> Reception:
    """A reception with the usual rules, but for the ones named; clients may ask as often as they like."""
    known = {"per_client_per_hour": 100_000, "per_client_burst": 100_000, "per_hour": 0}
    return Reception((KEY,), Joining.model_validate({**known, **rules}), write_letter, OFFER)


@dataclass
class Door:
    """A database, a reception, and a clock that is set by hand."""

    database: Database
    reception: Reception
    now: datetime = NOW

    def join(self, address: str, client: str = FORM.client, **choices: object) -> JoinAnswer:
        form = replace(JoinForm(address), **choices)  # type: ignore[arg-type]
        return ask_to_join(self.database, self.reception, form, replace(FORM, client=client), self.now)

    def confirm(self, token: str) -> Confirmation | None:
        return confirm(self.database, self.reception, token, Origin("form", "192.0.2.9"), self.now)

    def mails(self) -> list[Mail]:
        """Send what waits, and return what arrived."""
        with self.database.transaction() as connection:
            found = claim_notices(connection, "test", self.now + HOUR, self.now, 1000)
            sent = [NoticeSettlement(one.id, NoticeState.SENT, 1, self.now) for one in found]
            settle_notices(connection, "test", sent)
        arrived = []
        for one in found:
            said = json.loads(one.notice.text)
            assert said["address"] == one.notice.address
            kind = LetterKind(one.notice.kind)
            arrived.append(Mail(one.notice.address, kind, said["token"], said["leave"], one.notice.language))
        return arrived

    def mail(self) -> Mail:
        """The only mail there is."""
        (mail,) = self.mails()
        return mail

    def admit(self, address: str, client: str = FORM.client, **choices: object) -> Subscriber:
        """Join and confirm."""
        self.join(address, client, **choices)
        done = self.confirm(self.mail().token)
        assert done is not None
        return done.subscriber

    def find(self, address: str) -> Subscriber | None:
        with self.database.read() as connection:
            return find_subscriber(connection, address)

    def link(self, purpose: Purpose, reader: Subscriber, edition_id: int = 7) -> str:
        """A link from a mail of an edition."""
        return make_token(KEY, purpose, reader.id, edition_id)


def publish(door: Door, slug: str) -> int:
    """Publish an edition to whoever reads now, and return its number."""
    edition = Edition(
        slug=slug,
        issue_date=door.now.date(),
        title=slug,
        subject=slug,
        preheader="",
        language="en",
        page_url=f"https://news.example.org/issues/{slug}/",
        html="<p></p>",
        text="",
        sender=SENDER,
    )
    with door.database.transaction() as connection:
        frozen = freeze_edition(connection, edition, slug, door.now)
        publish_edition(connection, frozen.id, door.now)
    return frozen.id
