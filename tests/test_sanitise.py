import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.sanitise import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, CONTENT_TAGS, check_html, sanitise_html

MATHS = '<math display="block"><mrow><msup><mi mathvariant="bold">x</mi><mn>2</mn></msup></mrow></math>'


@pytest.mark.parametrize(
    "html",
    [
        '<p>a <b>b</b> <a href="https://example.org/">c</a></p>',
        '<img src="https://example.org/i.png" alt="i" width="10">',
        '<td style="text-align:right">a</td>',
        '<a href="mailto:a@example.org">m</a>',
        '<a href="#x">relative addresses are for rendering to resolve</a>',
        '<details open=""><summary>s</summary>t</details>',
        MATHS,
    ],
)
def test_what_readers_may_be_sent_passes(html: str) -> None:
    assert check_html(html) == ()
    wrapped = f"<table><tbody><tr>{html}</tr></tbody></table>" if html.startswith("<td") else html
    assert sanitise_html(wrapped) == wrapped


@pytest.mark.parametrize(
    ("html", "clean", "what", "loses_text"),
    [
        ("a <font>b</font>", "a b", "<font>", False),
        ("a <script>b</script>", "a ", "<script> and everything in it", True),
        ("a <svg><circle/></svg>", "a ", "<svg> and everything in it", True),
        ('<b onclick="x()">b</b>', "<b>b</b>", "the attribute onclick of <b>", False),
        ('<p style="color:red">b</p>', "<p>b</p>", "the attribute style of <p>", False),
        ('<p id="x">b</p>', "<p>b</p>", "the attribute id of <p>", False),
        ('<a href="javascript:x()">b</a>', "<a>b</a>", "the attribute href of <a>", False),
        ('<a href="java\nscript:x()">b</a>', "<a>b</a>", "the attribute href of <a>", False),
        ('<a href="&#106;avascript:x()">b</a>', "<a>b</a>", "the attribute href of <a>", False),
        ('<q cite="javascript:x()">b</q>', "<q>b</q>", "the attribute cite of <q>", False),
        ('<img src="data:image/png;base64,AA" alt="">', '<img alt="">', "the attribute src of <img>", False),
        ("<![CDATA[x]]>", "", "a declaration (<![…]>)", False),
        ("<!DOCTYPE html>x", "x", "<!DOCTYPE html>", False),
        ("<?php x ?>y", "y", "a processing instruction (<?…>)", False),
    ],
)
def test_anything_else_is_dropped_and_said(html: str, clean: str, what: str, loses_text: bool) -> None:
    assert sanitise_html(html) == clean
    first = check_html(html)[0]
    assert (first.what, first.loses_text) == (what, loses_text)


def test_what_is_dropped_is_said_with_its_place() -> None:
    html = "<div>\n  <blink>a</blink>\n  <p onclick='x'>b</p>\n</div>"
    assert [(each.line, each.column, each.what) for each in check_html(html)] == [
        (2, 3, "<blink>"),
        (3, 3, "the attribute onclick of <p>"),
    ]


def test_comments_go_without_a_word() -> None:
    assert sanitise_html("a<!-- b -->c") == "ac"
    assert check_html("a<!-- b -->c") == ()


def test_tags_are_balanced() -> None:
    assert sanitise_html("<p><b>a") == "<p><b>a</b></p>"


def test_the_lists_agree_with_each_other() -> None:
    assert not ALLOWED_TAGS & CONTENT_TAGS
    assert set(ALLOWED_ATTRIBUTES) - {"*"} <= ALLOWED_TAGS


TAGS = st.sampled_from([*sorted(ALLOWED_TAGS)[::5], *sorted(CONTENT_TAGS)[::3], "font", "form", "x-y"])
VALUES = st.sampled_from(
    ["1", "https://example.org", "javascript:x", "text-align:left", "color:red", "", "/x", "data:,x"]
)
NAMES = st.sampled_from(["href", "src", "alt", "style", "onclick", "class", "id", "title", "lang", "cite"])
PIECES = st.builds('<{} {}="{}">'.format, TAGS, NAMES, VALUES) | st.builds("</{}>".format, TAGS) | st.text(max_size=6)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_nothing_is_left_to_say_about_what_was_sanitised(html: str) -> None:
    clean = sanitise_html(html)
    assert check_html(clean) == ()
    assert check_html(sanitise_html(clean)) == ()


@given(st.text(alphabet="<>!?/[]-'\"= abscript:;&#x0", max_size=60))
def test_no_text_breaks_checking_and_no_script_passes(html: str) -> None:
    check_html(html)
    assert "<script" not in sanitise_html(html).lower()
