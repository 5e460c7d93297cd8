"""What can be configured: each table, each key with its default and what it is for. Frozen values."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from newsletter.config.incoming import Bounces
from newsletter.config.joining import Joining
from newsletter.config.schedule import Alerts, Backup, Log, Rollups, Schedule, Serve
from newsletter.config.sending import Pace, Smtp
from newsletter.config.serving import Web
from newsletter.config.values import (
    Address,
    DatabaseUrl,
    Domain,
    FilePath,
    Hubs,
    Labels,
    Language,
    Line,
    OptionalUrl,
    Selector,
    Table,
    TimeZone,
    Url,
)


class Publication(Table):
    """Who publishes, where, and in whose name."""

    title: Line = Field("LLM Papers Daily", min_length=1, description="The newsletter's name.")
    tagline: Line = Field(
        "What is new in research on large language models, every day.",
        description="One line under the name, on the site and in feeds.",
    )
    url: Url = Field(
        "https://newsletter.example",
        description="The site's public address, where the folder [site] folder is served. Links in mail lead here.",
    )
    language: Language = Field("en", description="Language of issues that name none (RFC 5646).")
    time_zone: TimeZone = Field("UTC", description="Where the publication's day begins and ends.")
    editor: Line = Field("", description="The publisher's or editor's name, shown in feeds and footers.")
    postal_address: str = Field(
        "Newsletter Example, 1 Example Street, Example City",
        min_length=1,
        description="A postal address in every footer: bulk-mail law in many countries wants one.",
    )
    reason: str = Field(
        "You get this mail because you subscribed to it.",
        min_length=1,
        description="Why a reader gets the mail, said in every footer.",
    )


class Issues(Table):
    """How issue files are written and what is checked in them."""

    folder: FilePath = Field(Path("issues"), description="Where issue files live, one Markdown file an issue.")
    labels: Labels = Field(
        ("Why?", "How?", "Results"),
        description="The labelled parts of an entry, in the order they are shown.",
    )
    sections: tuple[str, ...] = Field(
        (),
        description="The fixed sections, by heading and in their order: readers choose from them. When given, any "
        "other section is a warning.",
    )
    topics: tuple[str, ...] = Field(
        (), description="The topics an issue may name in its front matter. When given, any other is an error."
    )
    empty_sections: Literal["show", "omit"] = Field(
        "show",
        description='"show" prints a section without entries with the line below it, "omit" leaves it out.',
    )
    empty_text: str = Field("Nothing today.", description="What stands in a section without entries.")
    subject_length: int = Field(78, ge=20, le=300, description="Warn about a longer subject, in characters.")
    html_warn_kb: int = Field(80, ge=1, le=95, description="Warn when the mail's HTML is larger, in kilobytes.")
    html_error_kb: int = Field(
        95, ge=1, le=100, description="Refuse when it is larger: Gmail cuts a mail off at about 102 KB."
    )


class Templates(Table):
    """Where your own templates live."""

    folder: FilePath | None = Field(
        None,
        description="A folder whose files replace the built-in templates of the same name, one by one. "
        'A file may start from the original with {% extends "default:email/issue.html" %}.',
    )


class Site(Table):
    """The static site: pages and feeds as files."""

    folder: FilePath = Field(
        Path("public"), description="Where pages and feeds are written, for any web server or CDN."
    )
    index_entries: int = Field(20, ge=1, le=500, description="Issues on the front page.")
    feed_entries: int = Field(30, ge=1, le=500, description="Issues in each feed of whole issues.")
    feed_papers: int = Field(100, ge=1, le=1000, description="Papers in each feed of single papers.")
    section_papers: int = Field(30, ge=1, le=1000, description="Papers on each section's page; the others are by year.")
    hub: Hubs = Field(
        (),
        description="WebSub hubs, which tell feed readers at once of a new issue: one address, or a list of them. "
        "Feeds name them, and they are told of each change.",
    )
    precompress: bool = Field(
        True,
        description="Write each file compressed, too (.gz and .br beside it), for web servers that hand those out.",
    )
    id_url: OptionalUrl = Field(
        "",
        description="The address that ids in feeds are made from; empty means [publication] url. When the site moves, "
        "put its old address here, or feed readers show every issue again as new.",
    )


class Mail(Table):
    """Who the mail comes from."""

    from_name: Line = Field("", description="The name readers see; empty means the publication's title.")
    from_address: Address = Field("news@newsletter.example", description="The address readers see.")
    reply_to: Address = Field("", description="Where answers go; empty means from_address.")
    bounce_domain: Domain = Field(
        "",
        description="Domain of envelope senders, where bounces come back; empty means from_address's domain.",
    )
    unsubscribe_address: Address = Field(
        "", description="Takes unsubscribe requests by mail; empty means unsubscribe@ and the bounce domain."
    )
    list_id: Domain = Field(
        "",
        description="Stable List-Id (RFC 2919); never change it. Empty means it is made from [publication] url.",
    )


class Dkim(Table):
    """Your own DKIM signature; leave it out when your relay signs. `newsletter dkim keygen` makes the keys."""

    domain: Domain = Field("", description="The domain that signs; empty means from_address's domain.")
    selector: Selector = Field("", description="The RSA key's DNS record is SELECTOR._domainkey.DOMAIN.")
    key_file: FilePath | None = Field(None, description="The RSA private key: PEM, 2048 to 4096 bits.")
    ed25519_selector: Selector = Field("", description="The same for an Ed25519 key (RFC 8463), if there is one.")
    ed25519_key_file: FilePath | None = Field(
        None, description="The Ed25519 private key: PEM, in addition to RSA only."
    )

    @model_validator(mode="after")
    def _belong_together(self) -> "Dkim":
        if bool(self.selector) != bool(self.key_file) or bool(self.ed25519_selector) != bool(self.ed25519_key_file):
            raise ValueError("names a selector without its key file, or a key file without its selector")
        if (self.domain or self.ed25519_selector) and not self.selector:
            raise ValueError("needs an RSA key (selector, key_file): many receivers can check no other signature")
        if self.selector and self.selector == self.ed25519_selector:
            raise ValueError("gives both keys one selector; each key needs a DNS record of its own")
        return self


class Outbox(Table):
    """Where mail goes when no relay is configured."""

    folder: FilePath = Field(
        Path("outbox"), description="Mail is written here as .eml files when [smtp] host is empty."
    )


class Delivery(Table):
    """How long and how often mail is tried."""

    patience_hours: float = Field(96.0, gt=0, le=240, description="Give up on a reader whose server defers for longer.")
    first_retry_minutes: float = Field(5.0, gt=0, description="Wait before the second try; doubles with each try.")
    longest_retry_minutes: float = Field(240.0, gt=0, description="The longest wait between two tries.")
    journal: FilePath = Field(
        Path("journal"),
        description="Where a running sender notes what is on the wire; on a local disk. Read after a crash.",
    )
    claim_ahead: int = Field(
        2000,
        ge=10,
        le=100_000,
        description="Readers claimed from the ledger at once. After a power failure as many may be unknown.",
    )
    drain_seconds: float = Field(
        60.0, gt=0, description="How long a stop waits for the answers to mail that is on the wire."
    )
    seeds: tuple[Address, ...] = Field(
        (),
        max_length=100,
        description="Readers who get every issue first, by address: your own mailboxes. It goes on to the others when "
        "all of theirs were taken, and halts when one is refused, put off or unknown.",
    )
    first_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="The share of readers who come next, before the rest; 0.05 is every twentieth. 0: no such stage.",
    )
    halt_share: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Halt an issue when this share of readers is refused or put off, among the last ones tried for the "
        "first time (4 times halt_after). `newsletter resume` goes on. 0: never, but for seeds.",
    )
    halt_after: int = Field(
        50,
        ge=10,
        le=10_000,
        description="Readers tried before their share can halt an issue; 10 are enough when a first share ends.",
    )


class DatabaseSettings(Table):
    """Where readers and the ledger are kept."""

    url: DatabaseUrl = Field(
        "sqlite:///newsletter.db",
        description="sqlite:///FILE, or postgresql://USER@HOST/NAME. The environment variable "
        "NEWSLETTER_DATABASE_URL goes before it, so that a password need not stand here.",
    )
    backups: FilePath = Field(Path("backups"), description="The SQLite file is copied here before it is migrated.")


class Secret(Table):
    """The keys behind every personal link."""

    file: FilePath = Field(
        Path("newsletter.secret"),
        description="Signs personal links and bounce addresses; made at first use. Keep it: without it, links in "
        "mail that is already out stop working. A new key goes on a line of its own before the old one: the first "
        "one signs, and what the others signed stays valid as long as they stand there.",
    )


class Settings(Table):
    """Everything that can be configured; each table is one section of the TOML file."""

    publication: Publication = Publication()
    issues: Issues = Issues()
    templates: Templates = Templates()
    site: Site = Site()
    web: Web = Web()
    mail: Mail = Mail()
    dkim: Dkim = Dkim()
    outbox: Outbox = Outbox()
    smtp: Smtp = Smtp()
    pace: Pace = Pace()
    delivery: Delivery = Delivery()
    joining: Joining = Joining()
    bounces: Bounces = Bounces()
    schedule: Schedule = Schedule()
    rollups: Rollups = Rollups()
    alerts: Alerts = Alerts()
    serve: Serve = Serve()
    log: Log = Log()
    database: DatabaseSettings = DatabaseSettings()
    backup: Backup = Backup()
    secret: Secret = Secret()

    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """Return the config that they were read from, if it was named; None for the one in the working folder."""
        return self._file

    def named(self, file: Path | None) -> Self:
        """Return them with the config that they were read from."""
        settings = self.model_copy()
        settings._file = file
        return settings

    @model_validator(mode="after")
    def _sizes_in_order(self) -> "Settings":
        if self.issues.html_warn_kb > self.issues.html_error_kb:
            raise ValueError("issues.html_warn_kb is larger than issues.html_error_kb; warn before you refuse")
        return self
