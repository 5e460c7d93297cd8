# ruff: noqa: E501 - in a table of messages, one case a line reads best
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.markup import MAX_NESTING, Token, dialect, parse_blocks, parse_inline, parse_outline, plain_text


def html(source: str) -> str:
    tokens, env = parse_blocks(source)
    return str(dialect().renderer.render(tokens, dialect().options, env))


@pytest.mark.parametrize(
    ("source", "types"),
    [
        ("| a |\n|--|\n| b |", "table_open"),
        ("$$\nx\n$$", "math_block"),
        ("```\nx\n```", "fence"),
        ("<div>\n</div>", "html_block"),
        ("#### a", "heading_open"),
    ],
)
def test_the_dialect_has_tables_maths_code_and_raw_html(source: str, types: str) -> None:
    assert parse_blocks(source)[0][0].type == types


def test_money_is_no_maths() -> None:
    assert [token.type for token in parse_inline("It costs $5 and then $10, not $x$.")] == [
        "text",
        "math_inline",
        "text",
    ]


def test_strikethrough_is_known_and_bare_addresses_are_text() -> None:
    assert html("~~a~~ https://example.org") == "<p><s>a</s> https://example.org</p>\n"


def test_definitions_from_elsewhere_in_the_file_are_known() -> None:
    tokens, _ = parse_blocks("[a][B]", {"B": ("https://example.org", "Title")})
    children = tokens[1].children or []
    assert children[0].attrs == {"href": "https://example.org", "title": "Title"}


def test_an_outline_has_blocks_with_their_lines_and_the_definitions() -> None:
    tokens, references = parse_outline('# A\n\nText [x]\n\n[x]: https://example.org "T"\n')
    assert [(token.type, token.map) for token in tokens if token.map and token.nesting >= 0] == [
        ("heading_open", [0, 1]),
        ("inline", [0, 1]),
        ("paragraph_open", [2, 3]),
        ("inline", [2, 3]),
    ]
    assert references == {"X": ("https://example.org", "T")}


@given(st.lists(st.sampled_from(["# a\n", "\n", "- b\n", "> c\n", "```\n", "**d**\n", "| a |\n|--|\n", "    e\n", "[x]: /y\n", "<p>\n", "$$\n", "f\n---\n"]), max_size=20).map("".join))  # fmt: skip
def test_the_outline_is_what_parsing_in_full_gives(source: str) -> None:
    def shape(tokens: list[Token]) -> list[tuple[str, list[int] | None, int, str]]:
        return [(token.type, token.map, token.level, token.content) for token in tokens]

    tokens, env = parse_blocks(source)
    outline, references = parse_outline(source)
    assert shape(outline) == shape(tokens)
    assert {label: each["href"] for label, each in env["references"].items()} == {
        label: href for label, (href, _) in references.items()
    }


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("a [b](c) d", {"link_open": "[b](c)"}),
        ("a [b `c`](d) ![e *f*](g)", {"link_open": "[b `c`](d)", "code_inline": "`c`", "image": "![e *f*](g)"}),
        ("x\n<b>y</b> <https://example.org>", {"html_inline": "<b>", "link_open": "<https://example.org>"}),
        ("**bold [a](b)**", {"link_open": "[a](b)"}),
        ("a ``b`c`` d", {"code_inline": "``b`c``"}),
    ],
)
def test_links_images_html_and_code_know_their_place(source: str, places: dict[str, str]) -> None:
    found: dict[str, str] = {}
    for token in parse_inline(source):
        if "at" in token.meta:
            start, end = token.meta["at"]
            found.setdefault(token.type, source[start:end])
    assert found == places


def test_places_do_not_change_what_is_rendered() -> None:
    assert (
        html("a [b](https://x.org) `c` <b>d</b>") == '<p>a <a href="https://x.org">b</a> <code>c</code> <b>d</b></p>\n'
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("*a* **b** `c` [d](e) ![f *g*](h)", "a b c d f g"),
        ("a &amp; b \\* c", "a & b * c"),
        ("$x^2$ $$y$$", "$x^2$ $y$"),
        ("a\nb\\\nc", "a b c"),
        ("a <b>c</b>", "a c"),
        ("", ""),
    ],
)
def test_plain_text_is_what_is_read_aloud(source: str, text: str) -> None:
    assert plain_text(parse_inline(source)) == text


def test_text_below_the_nesting_limit_is_lost_which_is_why_it_is_checked() -> None:
    assert "kept" in html(">" * (MAX_NESTING - 1) + " kept")
    assert "lost" not in html(">" * (MAX_NESTING + 1) + " lost")


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(source: str) -> None:
    parse_blocks(source)
    plain_text(parse_inline(source))
