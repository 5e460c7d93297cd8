"""The mail as a whole: what is in it, what it promises, and what a user may change."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jinja2 import Environment

from newsletter.config import Issues, Mail, Publication, Settings
from newsletter.errors import NewsletterError
from newsletter.issues.parse import parse_issue
from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD
from newsletter.model.issue import Entry, Issue, Markdown, Section
from newsletter.render.edition import PREHEADER_LENGTH, render_edition, sender_of
from newsletter.render.environment import load_environment
from newsletter.render.wrap import COLUMNS, width_of

VOID = {"meta", "br", "hr", "img", "col", "wbr"}


class _Reader(HTMLParser):
    """Collects headings and addresses, and each text with the colours it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[tuple[str, str, str]] = []
        self._colours = [("", "")]
        self._tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(tag)
        self.addresses += [values[name] or "" for name in ("href", "src") if name in values]
        if tag in VOID:
            return
        style = values.get("style") or ""
        colour = re.search(r"(?<![\w-])color: *(#\w+)", style)
        background = re.search(r"background: *(#\w+)", style)
        before = self._colours[-1]
        self._colours.append((colour[1] if colour else before[0], background[1] if background else before[1]))
        self._tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._tags.pop() == tag
        self._colours.pop()

    def handle_data(self, data: str) -> None:
        # The preheader is never drawn, and what stands in the head neither.
        if data.strip() and self._colours[-1][0]:
            self.texts.append((data, *self._colours[-1]))


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_mail_looks_as_it_did(
    issue: Issue, settings: Settings, environment: Environment, golden: Callable[[str, str], None]
) -> None:
    edition = render_edition(issue, settings, environment)
    golden("issue.html", edition.html)
    golden("issue.txt", edition.text)


def test_the_same_input_gives_the_same_bytes(issue: Issue, settings: Settings, environment: Environment) -> None:
    first = render_edition(issue, settings, environment)
    assert render_edition(issue, settings, load_environment()).hash == first.hash


def test_every_address_is_absolute(issue: Issue, settings: Settings, environment: Environment) -> None:
    relative = replace(issue, intro=Markdown("[a](/b) ![c](d.png) [e](#f) <a href='g'>h</a>"))
    edition = render_edition(relative, settings, environment)
    assert {urlsplit(address).scheme for address in read(edition.html).addresses} == {"https"}
    assert "[1] https://newsletter.example/b\n" in edition.text


def test_readers_find_their_way_out_in_both_parts(issue: Issue, settings: Settings, environment: Environment) -> None:
    edition = render_edition(issue, settings, environment)
    for part in (edition.html, edition.text):
        assert f"https://newsletter.example/u/{UNSUBSCRIBE_FIELD}" in part
        assert f"https://newsletter.example/p/{PREFERENCES_FIELD}" in part
        assert settings.publication.postal_address in part
        assert settings.publication.reason in part
        assert edition.page_url in part


def test_headings_descend_without_a_gap(issue: Issue, settings: Settings, environment: Environment) -> None:
    headings = read(render_edition(issue, settings, environment).html).headings
    assert headings == ["h1", "h2", "h3", "h3", "h2", "h2", "h3"]


def test_every_text_stands_out_from_its_ground(issue: Issue, settings: Settings, environment: Environment) -> None:
    texts = read(render_edition(issue, settings, environment).html).texts
    assert {ground for _, _, ground in texts} == {"#f2efe9", "#fffefb", "#f5f1e8"}
    for text, colour, ground in texts:
        assert contrast(colour, ground) >= 4.5, (text, colour, ground)


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_every_colour_of_a_palette_stands_out_from_every_ground(palette: str, environment: Environment) -> None:
    colours = getattr(environment.get_template("email/colours.txt").module, palette)
    for ink in ("ink", "muted", "accent"):
        for ground in ("ground", "paper", "tint"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def test_what_must_survive_inlining_does(issue: Issue, settings: Settings, environment: Environment) -> None:
    html = render_edition(issue, settings, environment).html
    assert "@media (prefers-color-scheme:dark)" in html
    assert "[data-ogsc] .paper" in html
    assert "[data-ogsb] .paper" in html
    assert html.count("<!--[if mso]>") == 3
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "<script" not in html
    assert "<img" in html  # the one the issue itself shows, and no other
    assert html.count("<img") == 1


def test_many_authors_are_counted_in_html_and_named_in_text(
    issue: Issue, settings: Settings, environment: Environment
) -> None:
    edition = render_edition(issue, settings, environment)
    assert "Author Number7 and 4 others" in edition.html
    assert "Number8" not in edition.html
    assert "Author Number11" in edition.text


def test_text_lines_are_72_columns_but_for_code_and_single_words(
    issue: Issue, settings: Settings, environment: Environment
) -> None:
    long = "A title that goes on and on 漢字漢字漢字 " * 6
    entry = Entry(id="x", anchor="x", title=long, authors=("A Name",) * 30, lead=Markdown(long * 3))
    edition = render_edition(
        replace(issue, title=long, subtitle=long, sections=(Section(long, "s", Markdown(long), (entry,)),)),
        settings,
        environment,
    )
    assert [line for line in edition.text.split("\n") if width_of(line) > COLUMNS and " " in line.strip()] == []


def test_links_in_text_are_numbered_through_the_whole_mail(
    issue: Issue, settings: Settings, environment: Environment
) -> None:
    text = render_edition(issue, settings, environment).text
    numbers = [int(number) for number in re.findall(r"^ *\[(\d+)\] https", text, re.MULTILINE)]
    assert numbers == [1, 2, 3, 4, 5]


def test_an_empty_section_says_so(issue: Issue, environment: Environment) -> None:
    edition = render_edition(issue, Settings(issues=Issues(empty_text="Quiet today.")), environment)
    assert edition.html.count("Quiet today.") == edition.text.count("Quiet today.") == 1
    contents = edition.text.partition("In this issue\n")[2].partition("\n\n")[0]
    assert contents.split("\n") == ["  - First things (2)", "  - Last things (1)"]
    assert edition.html.count("Nothing here</a>") == 0


def test_an_empty_section_can_be_left_out(issue: Issue, environment: Environment) -> None:
    edition = render_edition(issue, Settings(issues=Issues(empty_sections="omit")), environment)
    assert "Nothing here" not in edition.html + edition.text
    assert "Last things" in edition.html


def test_an_issue_without_anything_is_still_a_mail(issue: Issue, settings: Settings, environment: Environment) -> None:
    edition = render_edition(
        replace(issue, subtitle="", authors=(), intro=Markdown(""), sections=()), settings, environment
    )
    assert edition.preheader == ""
    assert "In this issue" not in edition.html + edition.text


def test_right_to_left_languages_run_right_to_left(issue: Issue, settings: Settings, environment: Environment) -> None:
    html = render_edition(replace(issue, language="ar"), settings, environment).html
    assert '<html lang="ar" dir="rtl"' in html
    assert '<div role="article"' in html


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=st.text(max_size=60), said=st.text(max_size=60))
def test_no_title_breaks_the_subject_or_the_mail(
    title: str, said: str, issue: Issue, settings: Settings, environment: Environment
) -> None:
    edition = render_edition(replace(issue, title=title, subtitle=said), settings, environment)
    for line in (edition.subject, edition.preheader):
        assert len(line.splitlines()) <= 1
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)


def test_maths_in_a_title_is_unicode_in_the_subject(issue: Issue, settings: Settings, environment: Environment) -> None:
    edition = render_edition(replace(issue, title="In $O(n^2)$ or\r\nless"), settings, environment)
    assert edition.subject == "In O(n²) or less"


def test_the_preheader_is_the_subtitle_else_the_intro_else_the_titles(
    issue: Issue, settings: Settings, environment: Environment
) -> None:
    without = replace(issue, subtitle="")
    assert render_edition(issue, settings, environment).preheader == "With one of everything"
    assert render_edition(without, settings, environment).preheader == "An intro with a link."
    bare = render_edition(replace(without, intro=Markdown("")), settings, environment)
    assert bare.preheader.startswith("Sparse & fast: O(n) attention for <everyone> · An entry without link")


def test_a_long_preheader_ends_at_a_word(issue: Issue, settings: Settings, environment: Environment) -> None:
    preheader = render_edition(replace(issue, subtitle="word " * 60), settings, environment).preheader
    assert len(preheader) <= PREHEADER_LENGTH
    assert preheader.endswith("word…")


def test_addresses_that_could_run_are_not_linked(issue: Issue, settings: Settings, environment: Environment) -> None:
    entry = Entry(id="x", anchor="x", title="T", url="javascript:alert(1)", code_url='https://e.org/" onclick="x')
    edition = render_edition(replace(issue, sections=(Section("S", "s", entries=(entry,)),)), settings, environment)
    assert "javascript" not in edition.html + edition.text
    assert "onclick" not in edition.html + edition.text


def test_one_block_can_be_replaced(issue: Issue, settings: Settings, environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "issue.html").write_text(
        '{% extends "default:email/issue.html" %}{% block masthead %}<p>My own masthead</p>{% endblock %}'
    )
    edition = render_edition(issue, settings, load_environment(tmp_path))
    assert "My own masthead" in edition.html
    assert "Unsubscribe" in edition.html
    assert edition.text == render_edition(issue, settings, environment).text


def test_the_colours_can_be_replaced_alone(issue: Issue, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    built_in = (Path(__file__).parents[2] / "templates" / "email" / "colours.txt").read_text()
    (tmp_path / "email" / "colours.txt").write_text(built_in.replace("#9c2f14", "#123456"))
    html = render_edition(issue, settings, load_environment(tmp_path)).html
    assert "color: #123456" in html
    assert "#9c2f14" not in html


@pytest.mark.parametrize("name", ["issue.html", "issue.txt"])
def test_a_template_without_a_way_out_is_refused(name: str, issue: Issue, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / name).write_text("<p>{{ mail.title }}</p>")
    with pytest.raises(NewsletterError, match=f"email/{name}: the template shows no way to unsubscribe"):
        render_edition(issue, settings, load_environment(tmp_path))


def test_the_sender_has_every_default_resolved() -> None:
    sender = sender_of(Settings())
    assert sender.name == sender.list_name == "LLM Papers Daily"
    assert sender.reply_to == sender.address == "news@newsletter.example"
    assert sender.bounce_domain == "newsletter.example"
    assert sender.unsubscribe_address == "unsubscribe@newsletter.example"
    assert sender.list_id == "llm-papers-daily.newsletter.example"


def test_the_sender_is_as_the_config_says() -> None:
    mail = Mail(
        from_name="Ada",
        from_address="ada@Example.org",
        reply_to="re@example.org",
        bounce_domain="b.example.org",
        unsubscribe_address="out@example.org",
        list_id="fixed.example.org",
    )
    sender = sender_of(Settings(mail=mail))
    assert (sender.name, sender.reply_to, sender.bounce_domain) == ("Ada", "re@example.org", "b.example.org")
    assert (sender.unsubscribe_address, sender.list_id) == ("out@example.org", "fixed.example.org")


@pytest.mark.parametrize(
    ("title", "url", "list_id"),
    [
        ("Überall & Nirgends!", "https://news.example.org/path", "berall-nirgends.news.example.org"),
        ("日本語", "https://example.org:8443", "newsletter.example.org"),
        ("A", "http://bücher.example", "a.xn--bcher-kva.example"),
        ("A", "http://127.0.0.1:8000", "a.localhost"),
        ("A", "http://[::1]:8000", "a.localhost"),
        ("x" * 100, "https://e.org", f"{'x' * 63}.e.org"),
    ],
)
def test_a_list_id_is_a_label_before_the_host(title: str, url: str, list_id: str) -> None:
    assert sender_of(Settings(publication=Publication(title=title, url=url))).list_id == list_id


def test_the_example_stays_far_below_where_mail_is_cut_off(settings: Settings, environment: Environment) -> None:
    path = Path(__file__).parents[2] / "issues" / "2024-05-25.md"
    parsed = parse_issue(path.read_text(encoding="utf-8"), str(path), labels=settings.issues.labels)
    assert parsed.issue is not None
    edition = render_edition(parsed.issue, settings, environment)
    assert len(read(edition.html).headings) == 1 + 5 + 21
    assert len(edition.html.encode()) < 70_000


def test_a_table_heading_without_alignment_stands_over_its_cells(
    issue: Issue, settings: Settings, environment: Environment
) -> None:
    table = Markdown("| Plain | Right |\n|---|--:|\n| a | 1 |\n")
    html = render_edition(replace(issue, intro=table), settings, environment).html
    plain, right = (re.search(rf"<th[^>]*>{name}</th>", html) for name in ("Plain", "Right"))
    assert plain is not None
    assert "text-align: left" in plain[0]
    assert right is not None
    assert 'align="right"' in right[0]
    assert "text-align" not in right[0]
