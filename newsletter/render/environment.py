"""The Jinja environment: template lookup, escaping, and what every template may call.

Owns the template chain (a user's folder before the built-in one), the language that templates speak, and the escaping
rule: everything is escaped except `.txt` templates. Refuses undefined names, and says in which file and line a template
fails. Templates are trusted like code; issue text is not.
"""

import difflib
from collections.abc import Mapping
from functools import lru_cache, partial
from gettext import NullTranslations
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError, UndefinedError

from newsletter.errors import NewsletterError, UsageError
from newsletter.render.mailboxes import show_mailbox
from newsletter.render.translation import (
    SOURCE_LANGUAGE,
    choose_language,
    default_catalogues,
    list_languages,
    load_translations,
)
from newsletter.render.wrap import pad_text, width_of, wrap_text

PACKAGED = Path(__file__).parent.parent / "templates"
CHECKOUT = Path(__file__).parent.parent.parent / "templates"

_LANGUAGE = "newsletter.language"
_CATALOGUES = "newsletter.catalogues"


def default_folder() -> Path:
    """Return the folder of the built-in templates: inside the wheel, or at the top of a checkout."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT


def template_folders(folder: Path | None) -> tuple[Path, ...]:
    """Return where templates are looked for, first match first."""
    return (folder, default_folder()) if folder else (default_folder(),)


def load_environment(folder: Path | None = None) -> Environment:
    """Build the environment; `folder` is the user's own templates, whose files win one by one.

    `default:NAME` always means the built-in file, so that an override can extend what it replaces. It speaks English;
    `in_language` gives the same templates another language. Raises UsageError for a folder that isn't there: its
    templates would be missed in silence.
    """
    if folder and not folder.is_dir():
        raise UsageError(f"templates.folder: {folder} is not a folder. Make it, or take the setting out.")
    built_in = FileSystemLoader(default_folder())
    chain: list[BaseLoader] = [FileSystemLoader(folder)] if folder else []
    chain += [built_in, PrefixLoader({"default": built_in}, delimiter=":")]
    own = (folder / "locale",) if folder else ()
    return _build_environment(ChoiceLoader(chain), (*own, default_catalogues()), SOURCE_LANGUAGE)


@lru_cache(maxsize=64)
def in_language(environment: Environment, language: str) -> Environment:
    """Return the same templates with their own words in a language (RFC 5646), English where we don't have it."""
    folders = catalogues_of(environment)
    chosen = choose_language([language], list_languages(folders)) or SOURCE_LANGUAGE
    if chosen == language_of(environment) or environment.loader is None:
        return environment
    if chosen != language:
        return in_language(environment, chosen)
    return _build_environment(environment.loader, folders, chosen)


def language_of(environment: Environment) -> str:
    """Return the language that templates speak."""
    return str(environment.policies[_LANGUAGE])


def catalogues_of(environment: Environment) -> tuple[Path, ...]:
    """Return the folders in which words in other languages are looked for."""
    folders: tuple[Path, ...] = environment.policies[_CATALOGUES]
    return folders


def _build_environment(loader: BaseLoader, catalogues: tuple[Path, ...], language: str) -> Environment:
    environment: Any = Environment(  # Any: the extension's own methods are in no type
        loader=loader,
        autoescape=_escapes,  # noqa: S701 - all but plain text is escaped, see _escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    translations = load_translations(language, catalogues)
    environment.policies |= {_LANGUAGE: language, _CATALOGUES: catalogues, "ext.i18n.trimmed": True}
    environment.install_gettext_translations(translations, newstyle=True)
    environment.filters |= {"wrapped": wrap_text, "padded": pad_text, "columns": width_of, "mailbox": show_mailbox}
    environment.filters |= {"translated": translations.gettext, "grouped": partial(_group, translations)}
    built: Environment = environment
    return built


def _group(translations: NullTranslations, number: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{number:,}".replace(",", translations.pgettext("between thousands", ","))


def render_template(environment: Environment, name: str, values: Mapping[str, object]) -> str:
    """Render a template. Raises NewsletterError with the template's file and line, whatever goes wrong in it."""
    try:
        return environment.get_template(name).render(values)
    except TemplateNotFound as error:
        raise NewsletterError(_not_found(environment, name, error)) from error
    except UnicodeDecodeError as error:
        raise NewsletterError(f"{name}: the template is not UTF-8 text: {error}. Save it as UTF-8.") from error
    except TemplateSyntaxError as error:
        where = f"{error.filename or error.name or name}:{error.lineno}"
        raise NewsletterError(f"{where}: this is not a valid template: {error.message}") from error
    except RecursionError as error:
        raise NewsletterError(
            f"{_place(error.__traceback__) or name}: the template goes round in circles. One that replaces a built-in "
            f'template starts from it with {{% extends "default:{name}" %}}, not with its own name.'
        ) from error
    except Exception as error:
        place = _place(error.__traceback__)
        if place is None or isinstance(error, NewsletterError):
            raise
        advice = " Compare with the built-in template of that name." if isinstance(error, UndefinedError) else ""
        raise NewsletterError(f"{place}: the template can't be rendered: {error}.{advice}") from error


def _place(trace: TracebackType | None) -> str | None:
    """Return `file:line` of the innermost template on the stack; jinja marks its frames."""
    place = None
    while trace:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _not_found(environment: Environment, name: str, error: TemplateNotFound) -> str:
    missing = str(error.name or name)
    near = difflib.get_close_matches(missing, environment.list_templates(), n=1)
    guess = f"; did you mean {near[0]}?" if near else "."
    return f"{_place(error.__traceback__) or name}: there is no template {missing}{guess}"


def _escapes(name: str | None) -> bool:
    """Escape everything that is not plain text; Jinja's own list of endings forgets some."""
    return name is None or not name.endswith(".txt")
