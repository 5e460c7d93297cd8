"""One request as actions see it: plain values, and the house that it came to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from urllib.parse import parse_qsl, urlsplit

from starlette.types import Scope

from newsletter.audience.reception import Reception
from newsletter.bounces.intake import Desk
from newsletter.config import Settings
from newsletter.errors import NotFoundError
from newsletter.model.consent import Origin
from newsletter.model.problem import Problem
from newsletter.render.environment import catalogues_of, in_language
from newsletter.render.frame import Frame
from newsletter.render.translation import choose_language, name_language, parse_accept_language
from newsletter.store.database import Database
from newsletter.web.clients import Client
from newsletter.web.forms import Form, parse_form

MOST_PARAMETERS = 50


@dataclass(frozen=True, slots=True)
class Sketch:
    """An issue file as it is now: what its mail would be, '' if it can't be rendered, and what is wrong with it."""

    path: str
    title: str
    subject: str
    html: str
    text: str
    problems: Sequence[Problem]


def sketch_nothing(name: str) -> Sketch:
    """Stand in where there are no issue files."""
    raise NotFoundError(f"There is no issue {name}.")


def fetch_nothing(_url: str) -> bytes:
    """Stand in where nothing may be fetched."""
    raise OSError("nothing is fetched here")


@dataclass(frozen=True, eq=False)
class House:
    """What every action stands on, the same one for as long as the server lives. `ring` says that a notice waits.

    `intake` takes in what mail providers tell, if any may; `fetch` gets what is at an address of theirs, and raises
    OSError. `sketch` reads and renders the issue file of a date or slug, or raises NotFoundError.
    """

    settings: Settings
    frame: Frame
    database: Database
    reception: Reception
    ring: Callable[[], None]
    clock: Callable[[], datetime]
    intake: Desk | None = None
    fetch: Callable[[str], bytes] = fetch_nothing
    sketch: Callable[[str], Sketch] = sketch_nothing

    @cached_property
    def root(self) -> str:
        """Return the path at which the site stands on its host, without a trailing slash."""
        return urlsplit(self.settings.publication.url).path

    @property
    def languages(self) -> Sequence[str]:
        """Return the languages that readers may choose."""
        return self.reception.offer.languages


@dataclass(frozen=True)
class Visit:
    """A request. `query` and `form` give '' for what isn't there; `token` and `slug` are the address's, if any."""

    house: House
    method: str
    path: str
    query: Form
    form: Form
    client: str
    accept_language: str
    content_type: str = ""
    body: bytes = b""
    token: str = ""
    slug: str = ""
    scheme: str = "http"
    now: datetime = field(default_factory=datetime.now)
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def wished_language(self) -> str:
        """Return the language that was asked for by name, '' for none."""
        wanted = [value for value in (self.form["lang"], self.query["lang"]) if value]
        return choose_language(wanted, self.house.languages) or ""

    @cached_property
    def language(self) -> str:
        """Return the language to speak to somebody we don't know."""
        publication = self.house.settings.publication.language
        wanted = (self.wished_language, *parse_accept_language(self.accept_language), publication)
        return choose_language(filter(None, wanted), self.house.languages) or publication

    def origin(self, source: str, wording: str = "") -> Origin:
        """Return where a wish comes from."""
        return Origin(source, self.client, wording)

    def say(self, text: str, language: str = "") -> str:
        """Return one of the config's texts, translated if it is still ours."""
        environment = in_language(self.house.frame.environment, language or self.language)
        return str(environment.filters["translated"](text))


def name_languages(house: House) -> list[tuple[str, str]]:
    """Return the languages that readers may choose, each with what it calls itself."""
    folders = catalogues_of(house.frame.environment)
    return [(tag, name_language(tag, folders)) for tag in house.languages]


def read_visit(house: House, scope: Scope) -> Visit:
    """Return what an ASGI request says; its body was read before (`guard`)."""
    headers: Mapping[bytes, bytes] = dict(scope["headers"])
    content_type, body = headers.get(b"content-type", b"").decode("latin-1"), scope.get("newsletter.body", b"")
    client: Client = scope.get("newsletter.client", Client())
    return Visit(
        house=house,
        method=scope["method"],
        path=scope["path"],
        query=_parse_query(scope["query_string"]),
        form=parse_form(content_type, body),
        client=client.address,
        accept_language=headers.get(b"accept-language", b"").decode("latin-1"),
        content_type=content_type,
        body=body,
        token=scope.get("path_params", {}).get("token", ""),
        slug=scope.get("path_params", {}).get("slug", ""),
        scheme=client.scheme,
        now=house.clock(),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()},
    )


def _parse_query(query: bytes) -> Form:
    try:
        pairs = parse_qsl(query.decode("latin-1"), errors="replace", max_num_fields=MOST_PARAMETERS)
    except ValueError:  # too many
        pairs = []
    return Form(pairs)
