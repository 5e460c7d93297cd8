"""The one place where things are wired together: what every command, and later every tick, starts from."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from newsletter.config import Settings, load_publication
from newsletter.errors import NotFoundError
from newsletter.model.topic import topic_key

if TYPE_CHECKING:
    from jinja2 import Environment

    from newsletter.audience.reception import Reception
    from newsletter.bounces.intake import Desk
    from newsletter.delivery.publish import Keys
    from newsletter.mail.dkim import SigningKeys
    from newsletter.store.database import Database

NOTHING_YET = (
    "There is nothing yet: {url} isn't there. `newsletter init` writes a config and a first issue; it begins with "
    "`newsletter subscribers add ADDRESS` or `newsletter publish DATE`. If it has begun elsewhere, go there, or name "
    "its config with --config."
)


class App:
    """Settings, and what is opened from them when first asked for; closes it at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    def load(cls, config: Path | None) -> Self:
        """Read one publication's config (None: `config.toml` here, else every default). Raises ConfigError."""
        return cls(load_publication(config))

    @cached_property
    def environment(self) -> "Environment":
        """Return the templates, the user's own before the built-in ones."""
        from newsletter.render.environment import load_environment

        return load_environment(self.settings.templates.folder)

    @cached_property
    def database(self) -> "Database":
        """Open the database, migrated to this program's schema."""
        from newsletter.store.database import open_database

        return open_database(self.settings.database.url, self.settings.database.backups)

    @property
    def begun(self) -> bool:
        """Return whether there is a database to look into; one on a server is taken to be there."""
        from newsletter.store.backup import find_file

        path = find_file(self.settings.database.url)
        return path is None or path.exists()

    def look(self) -> "Database":
        """Open the database for a command that only looks; raises NotFoundError where there is none, and makes none."""
        if not self.begun:
            raise NotFoundError(NOTHING_YET.format(url=self.settings.database.url.removeprefix("sqlite:///")))
        return self.database

    def begin_in(self, folder: Path) -> None:
        """Work with a database that goes with a folder: for a rehearsal before there is one."""
        from newsletter.store.database import open_database

        self.__dict__["database"] = open_database(f"sqlite:///{folder / 'rehearsal.db'}")

    @cached_property
    def keys(self) -> "Keys":
        """Return what signs links and mail; the key of links is made at first use."""
        from newsletter.delivery.publish import Keys

        return Keys(self.link_keys[0], self.signing_keys)

    @cached_property
    def signing_keys(self) -> "SigningKeys | None":
        """Return what signs mail, if anything does."""
        from newsletter.signing import load_signing_keys

        return load_signing_keys(self.settings.dkim, self.settings.mail.from_address)

    def check_keys(self) -> None:
        """Say what is wrong with the keys before anything begins; raises as `keys` would, and makes none."""
        _ = self.signing_keys, self.settings.secret.file.exists() and self.link_keys

    @cached_property
    def link_keys(self) -> "tuple[bytes, ...]":
        """Return the keys of personal links: the first one signs, every one of them opens."""
        from newsletter.secret import load_secrets

        return load_secrets(self.settings.secret.file)

    @cached_property
    def reception(self) -> "Reception":
        """Return what readers' wishes are met with."""
        from newsletter.audience.policy_joining import Offer
        from newsletter.audience.reception import Reception
        from newsletter.model.subscriber import Cadence
        from newsletter.render.environment import catalogues_of
        from newsletter.render.letters import make_letter_writer
        from newsletter.render.translation import list_languages

        topics = {topic_key(heading): heading for heading in self.settings.issues.sections}
        cadences = (Cadence.EACH, *map(Cadence, self.settings.rollups.kinds))
        offer = Offer(topics, tuple(list_languages(catalogues_of(self.environment))), cadences)
        write = make_letter_writer(self.settings, self.environment)
        return Reception(self.link_keys, self.settings.joining, write, offer)

    @cached_property
    def intake(self) -> "Desk":
        """Return what mail that comes back is met with."""
        from newsletter.bounces.intake import Desk
        from newsletter.bounces.letters import Letters
        from newsletter.mail.reports.read import Ours
        from newsletter.render.edition import sender_of
        from newsletter.render.letters import make_letter_writer
        from newsletter.store.database import read_clock

        settings = self.settings
        sender = sender_of(settings)
        write = make_letter_writer(settings, self.environment)
        editor = settings.bounces.forward_to or sender.reply_to or sender.address
        letters = Letters(write, self.link_keys[0], editor, settings.publication.language, settings.file)
        ours = Ours(self.link_keys, sender.bounce_domain, sender.unsubscribe_address)
        return Desk(self.database, ours, settings.bounces, letters, read_clock)

    def imap_password(self) -> str:
        """Return the password of the mailbox that bounces come to. Raises UsageError where there is none."""
        from newsletter.secret import load_imap_password

        return load_imap_password(self.settings.bounces)

    def issue_files(self) -> Sequence[Path]:
        """Return every issue file, oldest first."""
        from newsletter.issues.folder import list_issue_files

        return list_issue_files(self.settings.issues.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        database = self.__dict__.pop("database", None)
        if database is not None:
            database.close()
