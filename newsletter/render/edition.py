"""An issue as a mail: the Edition that is frozen, sent and never changes.

Owns subject, preheader, sender and the finished HTML and text. A pure function of issue, settings and templates: the
same input gives the same bytes. Refuses templates that leave readers no way out. The only importer of css_inline.
"""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

from css_inline import CSSInliner
from jinja2 import Environment

from newsletter.config import Settings
from newsletter.errors import NewsletterError
from newsletter.model.edition import Edition, Sender
from newsletter.model.issue import Issue
from newsletter.render.environment import in_language, render_template
from newsletter.render.maths import render_plain_title
from newsletter.render.text import render_summary
from newsletter.render.view import Form, HtmlForm, MailView, TextForm, compose_view, one_line
from newsletter.urls import issue_url

HTML_TEMPLATE = "email/issue.html"
TEXT_TEMPLATE = "email/issue.txt"
INLINE_STYLES = "email/inline.css"

PREHEADER_LENGTH = 140
"""Characters of the preheader; no inbox shows more."""

_PRE = re.compile(r"(<pre\b.*?</pre>)", re.DOTALL)


def render_edition(issue: Issue, settings: Settings, environment: Environment, *, chosen: bool = False) -> Edition:
    """Return the edition of an issue, or of the sections that some readers chose of it.

    Raises NewsletterError, with file and line, for a template that fails.
    """
    subject = render_plain_title(one_line(issue.title))
    preheader = _preheader(issue)
    page_url = issue_url(settings.publication.url, issue.slug)
    environment = in_language(environment, issue.language)

    def view(form: Form) -> MailView:
        return compose_view(issue, settings, form, subject, preheader, chosen=chosen)

    return Edition(
        slug=issue.slug,
        issue_date=issue.date,
        title=issue.title,
        subject=subject,
        preheader=preheader,
        language=issue.language,
        page_url=page_url,
        html=fill_html(HTML_TEMPLATE, view(HtmlForm(issue.references, page_url)), environment),
        text=fill_text(TEXT_TEMPLATE, view(TextForm(issue.references, page_url)), environment),
        sender=sender_of(settings),
    )


def fill_html(template: str, view: MailView, environment: Environment) -> str:
    """Return a mail's HTML part, its styles in the elements. Raises NewsletterError as `render_edition`."""
    shown = _with_way_out(render_template(environment, template, {"mail": view}), view, template)
    return finish_html(shown, render_template(environment, INLINE_STYLES, {}))


def fill_text(template: str, view: MailView, environment: Environment) -> str:
    """Return a mail's text part. Raises NewsletterError as `render_edition`."""
    return finish_text(_with_way_out(render_template(environment, template, {"mail": view}), view, template))


def sender_of(settings: Settings) -> Sender:
    """Return who the mail comes from, with every default resolved."""
    mail, publication = settings.mail, settings.publication
    bounce_domain = mail.bounce_domain or mail.from_address.rpartition("@")[2].lower()
    return Sender(
        name=mail.from_name or publication.title,
        address=mail.from_address,
        reply_to=mail.reply_to or mail.from_address,
        bounce_domain=bounce_domain,
        unsubscribe_address=mail.unsubscribe_address or f"unsubscribe@{bounce_domain}",
        list_id=mail.list_id or _list_id(publication.title, publication.url),
        list_name=publication.title,
        url=publication.url,
    )


def _list_id(title: str, url: str) -> str:
    """Return a list label before the site's host (RFC 2919, 2): at most 255 ASCII characters, a label at most 63."""
    label = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:63].rstrip("-") or "newsletter"
    return f"{label}.{_namespace(urlsplit(url).hostname or '')}"


def _namespace(host: str) -> str:
    """Return the host as a domain name, or `localhost` (RFC 2919, 3) where the site has none."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            name = host.rstrip(".").encode("idna").decode("ascii").lower()
        except UnicodeError:
            return "localhost"
        return name if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", name) else "localhost"
    return "localhost"


def _preheader(issue: Issue) -> str:
    """Return what an inbox shows beside the subject: the subtitle, else the intro's beginning, else leading titles."""
    titles = " · ".join(entry.title for entry in issue.entries)
    said = issue.subtitle or render_summary(issue.intro, issue.references) or titles
    return shorten_preheader(render_plain_title(one_line(said)))


def shorten_preheader(text: str) -> str:
    """Return a preheader's beginning, cut between words."""
    if len(text) <= PREHEADER_LENGTH:
        return text
    kept, blank, _ = text[:PREHEADER_LENGTH].rpartition(" ")
    return f"{kept if blank else text[: PREHEADER_LENGTH - 1]}…".replace(" ·…", "…")


def _with_way_out(shown: str, view: MailView, template: str) -> str:
    if view.unsubscribe_url not in shown:
        raise NewsletterError(
            f"{template}: the template shows no way to unsubscribe, which bulk mail must have. "
            "Put {{ mail.unsubscribe_url }} into it."
        )
    return shown


@lru_cache(maxsize=4)
def _inliner(styles: str) -> CSSInliner:
    """Return the inliner of a stylesheet; the `<style>` of the head is left alone, and nothing is ever fetched."""
    return CSSInliner(inline_style_tags=False, keep_style_tags=True, load_remote_stylesheets=False, extra_css=styles)


def finish_html(html: str, styles: str) -> str:
    """Return a template's HTML as mail programs want it: each style where it applies, and no lines for nothing."""
    return _tidy_html(_inliner(styles).inline(html))


def _tidy_html(html: str) -> str:
    """Take out the blank lines that templates leave behind; those in code are content."""
    parts = [part if at % 2 else re.sub(r"\s*\n\s*", "\n", part) for at, part in enumerate(_PRE.split(html))]
    return "".join(parts).strip() + "\n"


def finish_text(text: str) -> str:
    """Return a template's plain text without the blanks at line ends and the blank lines around it."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n") + "\n"
