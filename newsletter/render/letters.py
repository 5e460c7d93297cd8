"""Letters: what readers are told outside the issues, in words of their language.

Owns what a letter's templates are given, and the headers of letters to readers. Pure, but for reading templates. What
somebody else may have typed isn't shown: an address alone is, to its owner.

A letter is rendered once for each kind and language, with marks where address and tokens go, and filled in for each
reader: whoever joins must not wait for it, nor must those who wait for his transaction.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from jinja2 import Environment
from markupsafe import escape

from newsletter.config import Settings
from newsletter.errors import NewsletterError
from newsletter.model.notice import Letter, LetterKind, WriteLetter, Writing
from newsletter.render.edition import INLINE_STYLES, finish_html, finish_text
from newsletter.render.environment import in_language, language_of, render_template
from newsletter.render.language import direction_of
from newsletter.render.mailboxes import show_mailbox
from newsletter.urls import confirm_url, preferences_url, unsubscribe_url

NOTICE_STYLES = "notice/notice.css"

_CONFIRMS = (LetterKind.CONFIRM_JOIN, LetterKind.CONFIRM_MOVE)
_MARK = Letter(LetterKind.WELCOME, "", "qqaddressqq", "qqtokenqq", "qqleaveqq")


def make_letter_writer(settings: Settings, environment: Environment) -> WriteLetter:
    """Return what puts letters into words, by the templates `notice/KIND.txt` and `.html`.

    It raises NewsletterError, with file and line, for a template that fails or leaves out its link.
    """

    @lru_cache(maxsize=64)
    def draft(kind: LetterKind, language: str, days: int, leaves: bool, missed: tuple[tuple[str, str], ...]) -> Writing:
        spoken = in_language(environment, language)
        leave = _MARK.leave if leaves else ""
        return _draft(replace(_MARK, kind=kind, days=days, leave=leave, missed=missed), settings, spoken)

    def write(letter: Letter) -> Writing:
        language = language_of(in_language(environment, letter.language or settings.publication.language))
        return _fill(draft(letter.kind, language, letter.days, bool(letter.leave), letter.missed), letter)

    return write


def _draft(letter: Letter, settings: Settings, environment: Environment) -> Writing:
    view = _compose_view(letter, settings, language_of(environment))
    shown = _render(environment, f"notice/{letter.kind}.txt", view)
    subject, _, text = finish_text(shown).partition("\n")
    html = _render(environment, f"notice/{letter.kind}.html", {**view, "subject": subject})
    styles = "\n".join(render_template(environment, name, {}) for name in (INLINE_STYLES, NOTICE_STYLES))
    return Writing(
        subject=" ".join(subject.split()),
        text=finish_text(text),
        html=finish_html(html, styles),
        language=language_of(environment),
        headers=_compose_headers(str(view["leave_url"])),
    )


def _fill(writing: Writing, letter: Letter) -> Writing:
    """Put a reader's address and tokens where their marks are."""
    return replace(
        writing,
        text=_put(writing.text, letter, show_mailbox(letter.address)),
        html=_put(writing.html, letter, str(escape(show_mailbox(letter.address)))),
        headers={name: _put(value, letter, letter.address) for name, value in writing.headers.items()},
    )


def _put(text: str, letter: Letter, address: str) -> str:
    # The address goes last: it alone is a stranger's, and must not bring marks with it.
    filled = text.replace(_MARK.token, letter.token).replace(_MARK.leave, letter.leave)
    return filled.replace(_MARK.address, address)


def _compose_view(letter: Letter, settings: Settings, language: str) -> dict[str, object]:
    publication = settings.publication
    link = confirm_url if letter.kind in _CONFIRMS else preferences_url
    return {
        "kind": letter.kind,
        "language": language,
        "direction": direction_of(language),
        "publication": publication.title,
        "site_url": f"{publication.url}/",
        "editor": publication.editor,
        "postal_address": publication.postal_address,
        "address": letter.address,
        "url": link(publication.url, letter.token),
        "leave_url": unsubscribe_url(publication.url, letter.leave) if letter.leave else "",
        "days": letter.days,
        "missed": [{"title": title, "url": url} for title, url in letter.missed],
        "subject": "",
    }


def _render(environment: Environment, template: str, view: Mapping[str, object]) -> str:
    shown = render_template(environment, template, {"letter": view})
    if str(view["url"]) not in shown:
        raise NewsletterError(f"{template}: the template leaves out its link. Put {{{{ letter.url }}}} into it.")
    return shown


def _compose_headers(leave_url: str) -> dict[str, str]:
    """Return how to end all mail, in letters to readers only: who hasn't confirmed has nothing to leave."""
    if not leave_url:
        return {}
    return {"List-Unsubscribe": f"<{leave_url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
