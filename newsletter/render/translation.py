"""What readers are told, in their languages: which there are, which one fits, and its words (gettext).

Owns where catalogues lie (the built-in `templates/locale/`, and a folder `locale` among the user's own templates, whose
words go first) and how a language is chosen (RFC 4647, 3.4). English is the language the program is written in and
needs none. The only importer of babel.
"""

import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from newsletter.errors import NewsletterError

SOURCE_LANGUAGE = "en"
PACKAGED = Path(__file__).parent.parent / "templates" / "locale"
CHECKOUT = Path(__file__).parent.parent.parent / "templates" / "locale"

_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


def default_catalogues() -> Path:
    """Return the folder of the built-in catalogues: inside the wheel, or at the top of a checkout."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT


def mark(text: str) -> str:
    """Return a text as it is; for the tool that gathers what is to be translated, this says that it is."""
    return text


# A publication that keeps these defaults of its config still speaks to readers in their language.
DEFAULTS = (
    mark("You get this mail because you subscribed to it."),
    mark("Nothing today."),
    mark("Yes, send me this newsletter by mail. I can leave at any time, with one click in each mail."),
)


def list_languages(folders: Sequence[Path]) -> list[str]:
    """Return the languages that readers can be spoken to in, as tags (RFC 5646), English first."""
    found = {path.stem.replace("_", "-") for path in list_catalogues(folders)}
    return [SOURCE_LANGUAGE, *sorted(found - {SOURCE_LANGUAGE}, key=str.lower)]


def list_catalogues(folders: Iterable[Path]) -> list[Path]:
    """Return every catalogue in these folders."""
    return [path for folder in folders for path in sorted(folder.glob("*.po"))]


def choose_language(wanted: Iterable[str], offered: Sequence[str]) -> str | None:
    """Return the first wanted language that is offered, or None: `de-AT` is content with `de`."""
    known = {tag.lower(): tag for tag in offered}
    for tag in wanted:
        parts = tag.lower().split("-")
        for length in range(len(parts), 0, -1):
            if (fits := "-".join(parts[:length])) in known:
                return known[fits]
    return None


@lru_cache(maxsize=256)
def parse_accept_language(header: str) -> tuple[str, ...]:
    """Return what `Accept-Language` asks for, in lower case, the most wanted first (RFC 9110, 12.5.4); never raises."""
    wanted: list[tuple[float, str]] = []
    for item in header[:1000].lower().split(",")[:20]:
        tag, _, weight = item.replace(" ", "").partition(";q=")
        if _TAG.fullmatch(tag) and re.fullmatch(r"|[01](\.[0-9]{0,3})?", weight) and float(weight or 1) > 0:
            wanted.append((-float(weight or 1), tag))
    return tuple(tag for _, tag in sorted(wanted, key=lambda pair: pair[0]))


def load_translations(language: str, folders: Sequence[Path]) -> NullTranslations:
    """Return a language's words, the first folder's before the next one's; English where a word is missing.

    Raises NewsletterError for a catalogue that can't be read.
    """
    paths = [path for folder in folders if (path := catalogue_path(folder, language)).is_file()]
    if not paths:
        return NullTranslations()
    first, *others = map(_read_catalogue, paths)
    for other in others:
        first.add_fallback(other)
    return first


def _read_catalogue(path: Path) -> GNUTranslations:
    from babel.core import UnknownLocaleError
    from babel.messages.mofile import write_mo  # babel takes long to import, and English needs none of it
    from babel.messages.pofile import PoFileError, read_po

    compiled = io.BytesIO()
    try:
        with path.open("rb") as source:
            write_mo(compiled, read_po(source, locale=path.stem, abort_invalid=True))
    except (PoFileError, UnknownLocaleError, ValueError, OSError) as error:
        raise NewsletterError(f"{path}: this is not a catalogue of translations (gettext's .po): {error}") from error
    compiled.seek(0)
    return GNUTranslations(compiled)


@lru_cache(maxsize=64)
def name_language(language: str, folders: tuple[Path, ...]) -> str:
    """Return what a language calls itself; its tag, where its catalogue doesn't say."""
    name = load_translations(language, folders).pgettext("the name of this catalogue's own language", "English")
    return name if language == SOURCE_LANGUAGE or name != "English" else language


def catalogue_path(folder: Path, language: str) -> Path:
    """Return where a language's words lie in a folder of catalogues."""
    return folder / f"{language.replace('-', '_')}.po"
