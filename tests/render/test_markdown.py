"""Markdown as HTML: what it looks like, and that nothing dangerous gets through."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.issue import Markdown
from newsletter.render.markdown import Medium, render_html, render_title

PIECES = (
    "# a\n",
    "\n\n",
    "- x\n",
    "  ",
    "> q\n",
    "```\n",
    "$x^2$",
    r"$\text{<script>alert(1)</script>}$",
    "$$\n",
    "|a|b|\n|--|--|\n|1|2|\n",
    "<script>",
    "</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">',
    "[x](javascript:alert(1))",
    '<div title="',
    '">',
    "<!--",
    "![a $x$](https://e.org/i.png)",
    "<svg/onload=alert(1)>",
    "**",
    "`",
    "&lt;script&gt;",
    "<b title='$x$'>",
)
MARKDOWN = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=14).map("".join)


class _Judge(HTMLParser):
    """Reads HTML as a browser would and notes what could run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "svg", "style", "form", "base", "link", "meta"):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            address = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name.startswith("on") or address.startswith(("javascript:", "vbscript:", "data:text")):
                self.found.append(f"{name}={value}")


def dangers_in(html: str) -> list[str]:
    judge = _Judge()
    judge.feed(html)
    judge.close()
    return judge.found


def render(source: str, medium: Medium = Medium.MAIL, under: int = 3) -> str:
    return str(render_html(Markdown(source), {}, medium=medium, under=under))


@given(MARKDOWN, st.sampled_from(Medium))
def test_no_markdown_raises_or_brings_anything_that_runs(source: str, medium: Medium) -> None:
    html = render(source, medium)
    assert dangers_in(html) == []
    assert "<script" not in html.lower()


@given(st.text(max_size=40).map(lambda text: f"a ${text}$ b"), st.sampled_from(Medium))
def test_no_title_raises_or_brings_anything_that_runs(title: str, medium: Medium) -> None:
    assert dangers_in(str(render_title(title, medium=medium))) == []


def test_headings_start_below_what_surrounds_them() -> None:
    assert re.findall(r"<h\d", render("# a\n\n#### b\n\n##### c\n\n###### d")) == ["<h4", "<h4", "<h5", "<h6"]


def test_headings_written_as_raw_html_are_shifted_too() -> None:
    assert render("<h1>a</h1>", under=2).strip() == "<h3>a</h3>"


@pytest.mark.parametrize("construct", ["|a|\n|--|\n|b|", "```\ncode\n```", "<table><tr><td>x</td></tr></table>"])
def test_tables_and_code_scroll_instead_of_breaking_the_page(construct: str) -> None:
    assert re.fullmatch(r'<div class="scroll"><(table|pre)>.*</\1></div>\s*', render(construct), re.DOTALL)


def test_table_columns_keep_their_alignment() -> None:
    assert '<td align="right">1</td>' in render("|a|\n|--:|\n|1|")


def test_maths_is_italic_unicode_in_mail_and_mathml_on_pages() -> None:
    assert render(r"$\alpha^2$") == "<p><i>α²</i></p>\n"
    assert render(r"$\alpha^2$", Medium.PAGE).startswith('<p><math display="inline">')
    assert render("$$x$$", Medium.PAGE).strip().startswith('<p><math display="block">')


def test_maths_that_cannot_be_shown_is_shown_as_tex() -> None:
    assert render(r"$\begin{x$") == "<p><code>\\begin{x</code></p>\n"
    assert render(r"$x_{$", Medium.PAGE) == "<p><code>x_{</code></p>\n"


def test_maths_never_lands_in_an_attribute() -> None:
    html = render('<b title="$x$">a</b> <div title="\n\n$x$\n\n">', Medium.PAGE)
    assert '<b title="$x$">' in html
    assert html.count("<math") == 1


def test_a_tag_that_never_ends_swallows_nothing() -> None:
    assert "still here" in render('<div title="\n\nstill here')


def test_text_that_looks_like_our_own_mark_stays_text() -> None:
    assert render("tex0123456789abcdef01234567n0n $x$") == "<p>tex0123456789abcdef01234567n0n <i>x</i></p>\n"


def test_links_are_left_as_they_are() -> None:
    html = render("[a](https://example.org/?b=1&c=2)")
    assert html == '<p><a href="https://example.org/?b=1&amp;c=2">a</a></p>\n'


def test_images_keep_their_description_with_its_maths_in_words() -> None:
    html = render(r"![the $\alpha$ curve](https://example.org/i.png)", Medium.FEED)
    assert 'alt="the α curve"' in html
    assert "max-width:100%" in html


def test_a_title_is_escaped_and_its_prices_are_not_maths() -> None:
    assert render_title("<b> costs $5 to $10, not $x^2$", medium=Medium.MAIL) == (
        "&lt;b&gt; costs $5 to $10, not <i>x²</i>"
    )
