"""Settings: a TOML file read into frozen values, with every problem reported at once by its key.

Owns what can be configured, the defaults, and what a setting means; `config.example.toml` is rendered from here.
Refuses unknown keys. Paths in a config are relative to the folder the config stands in.
"""

import difflib
import json
import os
import re
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from newsletter.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DEFAULT_NAME = "config.toml"


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("is not an http(s) address without query; write it like https://news.example.org")
    return value.rstrip("/")


def _optional_url(value: str) -> str:
    return _url(value) if value else value


def _address(value: str) -> str:
    if value and not re.fullmatch(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]+", value):
        raise ValueError("is not a mail address; write it like editor@example.org")
    return value


def _domain(value: str) -> str:
    if value and not re.fullmatch(r"([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+", value):
        raise ValueError("is not a domain; write it like bounces.example.org")
    return value.lower()


def _selector(value: str) -> str:
    if not re.fullmatch(r"(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.(?=.)|$))*", value):
        raise ValueError("is not a DKIM selector; write letters, digits and inner hyphens, like news-2024")
    return value.lower()


def _language(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*", value):
        raise ValueError("is not a language tag (RFC 5646); write it like en or pt-BR")
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("is not a time zone name; write it like Europe/Berlin or UTC")
    return value


def _one_line(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("holds a line break or control character, which no mail header may carry")
    return value


Url = Annotated[str, AfterValidator(_url)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]
Address = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, AfterValidator(_domain)]
Selector = Annotated[str, AfterValidator(_selector)]
Language = Annotated[str, AfterValidator(_language)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Line = Annotated[str, AfterValidator(_one_line)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Publication(_Table):
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


class Issues(_Table):
    """How issue files are written and what is checked in them."""

    folder: Path = Field(Path("issues"), description="Where issue files live, one Markdown file an issue.")
    labels: tuple[str, ...] = Field(
        ("Why?", "How?", "Results"),
        description="The labelled parts of an entry, in the order they are shown.",
    )
    sections: tuple[str, ...] = Field(
        (), description="The fixed sections, by heading. When given, any other section is a warning."
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


class Templates(_Table):
    """Where your own templates live."""

    folder: Path | None = Field(
        None,
        description="A folder whose files replace the built-in templates of the same name, one by one. "
        'A file may start from the original with {% extends "default:email/issue.html" %}.',
    )


class Site(_Table):
    """The static site: pages and feeds as files."""

    folder: Path = Field(Path("public"), description="Where pages and feeds are written, for any web server or CDN.")
    index_entries: int = Field(20, ge=1, le=500, description="Issues on the front page.")
    feed_entries: int = Field(30, ge=1, le=500, description="Issues in each feed.")
    id_url: OptionalUrl = Field(
        "",
        description="The address that ids in feeds are made from; empty means [publication] url. When the site moves, "
        "put its old address here, or feed readers show every issue again as new.",
    )


class Mail(_Table):
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


class Dkim(_Table):
    """Your own DKIM signature; leave it out when your relay signs. `newsletter dkim keygen` makes the keys."""

    domain: Domain = Field("", description="The domain that signs; empty means from_address's domain.")
    selector: Selector = Field("", description="The RSA key's DNS record is SELECTOR._domainkey.DOMAIN.")
    key_file: Path | None = Field(None, description="The RSA private key: PEM, 2048 to 4096 bits.")
    ed25519_selector: Selector = Field("", description="The same for an Ed25519 key (RFC 8463), if there is one.")
    ed25519_key_file: Path | None = Field(None, description="The Ed25519 private key: PEM, in addition to RSA only.")

    @model_validator(mode="after")
    def _belong_together(self) -> "Dkim":
        if bool(self.selector) != bool(self.key_file) or bool(self.ed25519_selector) != bool(self.ed25519_key_file):
            raise ValueError("names a selector without its key file, or a key file without its selector")
        if (self.domain or self.ed25519_selector) and not self.selector:
            raise ValueError("needs an RSA key (selector, key_file): many receivers can check no other signature")
        if self.selector and self.selector == self.ed25519_selector:
            raise ValueError("gives both keys one selector; each key needs a DNS record of its own")
        return self


class Outbox(_Table):
    """Where mail goes when no relay is configured."""

    folder: Path = Field(Path("outbox"), description="Mail is written here as .eml files when [smtp] host is empty.")


class Smtp(_Table):
    """The relay that takes the mail."""

    host: Line = Field("", description="The relay's name. Empty: no mail leaves, it is written to the outbox.")
    port: int = Field(587, ge=1, le=65535, description="587 for STARTTLS, 465 for implicit TLS, 25 inside a network.")
    tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls",
        description='"starttls" insists on it: without TLS nothing is sent, no password least of all. '
        '"implicit" speaks TLS from the first byte. "none" is for a relay on this machine.',
    )
    user: Line = Field("", description="User name, if the relay wants one.")
    password_file: Path | None = Field(
        None,
        description="A file with the password; or set the environment variable NEWSLETTER_SMTP_PASSWORD.",
    )
    ca_file: Path | None = Field(None, description="A PEM file of certificates to trust instead of the system's.")
    local_name: Line = Field("", description="The name said in EHLO; empty means this machine's.")
    connections: int = Field(10, ge=1, le=200, description="Connections held open at the same time.")
    timeout: float = Field(60.0, gt=0, le=3600, description="Seconds to wait for a reply to a command.")
    data_timeout: float = Field(
        600.0,
        gt=0,
        le=3600,
        description="Seconds to wait after the final dot (RFC 5321, 4.5.3.2.6 wants 600).",
    )
    messages_per_connection: int = Field(1000, ge=1, description="Messages before a connection is renewed.")


class Delivery(_Table):
    """How long and how often mail is tried."""

    patience_hours: float = Field(96.0, gt=0, le=240, description="Give up on a reader whose server defers for longer.")
    first_retry_minutes: float = Field(5.0, gt=0, description="Wait before the second try; doubles with each try.")
    longest_retry_minutes: float = Field(240.0, gt=0, description="The longest wait between two tries.")


class DatabaseSettings(_Table):
    """Where readers and the ledger are kept."""

    url: str = Field(
        "sqlite:///newsletter.db",
        description="sqlite:///FILE, or postgresql://USER@HOST/NAME. The environment variable "
        "NEWSLETTER_DATABASE_URL goes before it, so that a password need not stand here.",
    )
    backups: Path = Field(Path("backups"), description="The SQLite file is copied here before it is migrated.")


class Secret(_Table):
    """The key behind every personal link."""

    file: Path = Field(
        Path("newsletter.secret"),
        description="Signs personal links and bounce addresses; made at first use. Keep it: without it, links in "
        "mail that is already out stop working.",
    )


class Settings(_Table):
    """Everything that can be configured; each table is one section of the TOML file."""

    publication: Publication = Publication()
    issues: Issues = Issues()
    templates: Templates = Templates()
    site: Site = Site()
    mail: Mail = Mail()
    dkim: Dkim = Dkim()
    outbox: Outbox = Outbox()
    smtp: Smtp = Smtp()
    delivery: Delivery = Delivery()
    database: DatabaseSettings = DatabaseSettings()
    secret: Secret = Secret()

    @model_validator(mode="after")
    def _sizes_in_order(self) -> "Settings":
        if self.issues.html_warn_kb > self.issues.html_error_kb:
            raise ValueError("issues.html_warn_kb is larger than issues.html_error_kb; warn before you refuse")
        return self


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the config and return settings whose paths are absolute.

    `path` None means `config.toml` in the working folder, or every default if there is none. Raises ConfigError with
    all problems, and for a named file that can't be read.
    """
    chosen = path or Path(DEFAULT_NAME)
    raw = _read_toml(chosen) if path or chosen.exists() else {}
    return _resolve(parse_settings(raw, str(chosen)), chosen.absolute().parent, environ)


def parse_settings(raw: Mapping[str, object], path: str) -> Settings:
    """Return the settings that TOML tables mean; `path` is for messages. Raises ConfigError with all problems."""
    try:
        # JSON mode is strict about types and still reads arrays as tuples and strings as paths.
        settings = Settings.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise ConfigError(path, [_problem(item) for item in error.errors()]) from None
    if problems := _unready(settings):
        raise ConfigError(path, problems)
    return settings


def _unready(settings: Settings) -> list[tuple[str, str]]:
    """Mail that leaves this machine must not carry the example's names."""
    if not settings.smtp.host:
        return []
    must = (("publication", "url"), ("publication", "postal_address"), ("mail", "from_address"))
    example = Settings()
    return [
        (f"{table}.{key}", "must be your own once [smtp] host is set; it is still the example's")
        for table, key in must
        if getattr(getattr(settings, table), key) == getattr(getattr(example, table), key)
    ]


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(str(path), [("", "there is no such file; `newsletter init` writes one")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [("", f"can't be read: {error}")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [("", f"is not valid TOML: {error}")]) from None


def _problem(error: "ErrorDetails") -> tuple[str, str]:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], _known_keys(location[:-1]), n=1)
        return key, "is not a setting" + (f"; did you mean {near[0]}?" if near else "; see config.example.toml")
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if error["type"] == "value_error":
        return key, message
    return key, f"{message[0].lower()}{message[1:]} (it is {error['input']!r})"


def _known_keys(location: list[str]) -> list[str]:
    table = Settings.model_fields.get(location[0]) if location else None
    model = table.annotation if table else Settings
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _resolve(settings: Settings, base: Path, environ: Mapping[str, str]) -> Settings:
    """Make every path absolute, and let the environment's database go before the file's."""
    tables: dict[str, BaseModel] = {}
    for name in Settings.model_fields:
        table: BaseModel = getattr(settings, name)
        paths = {key: base / value for key, value in table if isinstance(value, Path)}
        tables[name] = table.model_copy(update=paths)
    url = environ.get("NEWSLETTER_DATABASE_URL") or settings.database.url
    tables["database"] = tables["database"].model_copy(update={"url": _absolute_sqlite(url, base)})
    return settings.model_copy(update=tables)


def _absolute_sqlite(url: str, base: Path) -> str:
    name = url.removeprefix("sqlite:///")
    return url if name == url or name == ":memory:" else f"sqlite:///{base / name}"


def render_config(answers: Mapping[tuple[str, str], object] | None = None) -> str:
    """Return a config with every key, commented, with its default; `answers` ((table, key) -> value) stand uncommented."""
    given = answers or {}
    lines = [
        "# Every setting, with its default. Uncomment what you change. Without `newsletter init`: copy this file to",
        "# config.toml. Paths are relative to the folder this file stands in.",
    ]
    for name, table in Settings.model_fields.items():
        model = table.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"{name} is not a table")
        lines += ["", "", f"# {' '.join((model.__doc__ or '').split())}", f"[{name}]"]
        for key, item in model.model_fields.items():
            comment = textwrap.wrap(item.description or "", 108, initial_indent="# ", subsequent_indent="# ")
            answered = (name, key) in given
            value = given[name, key] if answered else item.default
            lines += ["", *comment, f"{'' if answered else '# '}{key} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Spell a default in TOML; an absent path is an empty example."""
    if value is None:
        return '"PATH"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
