"""Markdown as plain text made to be read."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.issue import Markdown
from newsletter.render.text import NARROWEST, TextRun, render_summary, render_text
from newsletter.render.wrap import COLUMNS, pad_text, width_of, wrap_text

WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyzäß漢字かな", min_size=1, max_size=12)
PROSE = st.lists(WORDS, min_size=1, max_size=60).map(" ".join)
LINE_STARTS = st.sampled_from(["", "- ", "1. ", "> ", "> > ", "- > ", "> - "])


def text_of(source: str) -> str:
    return render_text(Markdown(source), {}).text


@given(st.lists(st.tuples(LINE_STARTS, PROSE), max_size=4), st.integers(NARROWEST + 6, COLUMNS))
def test_lines_are_no_wider_than_asked_but_for_single_words(blocks: list[tuple[str, str]], columns: int) -> None:
    source = "\n\n".join(start + prose for start, prose in blocks)
    for line in render_text(Markdown(source), {}, columns=columns).text.split("\n"):
        said = line.lstrip(" >-.1234")
        assert width_of(line) <= columns or len(said.split()) == 1, line


@given(st.text(max_size=200))
def test_no_markdown_raises_or_leaves_a_control_character(source: str) -> None:
    run = render_text(Markdown(source), {})
    assert not {character for character in run.text if character < " "} - {"\n", "\t"}
    assert isinstance(render_summary(Markdown(source), {}), str)


@given(PROSE)
def test_wrapping_loses_no_character(prose: str) -> None:
    assert wrap_text(prose).replace("\n", "").replace(" ", "") == prose.replace(" ", "")


def test_links_become_numbers_and_the_same_address_keeps_its_number() -> None:
    run = render_text(
        Markdown("[a](https://a.org), [b](https://b.org), [c][r], [again](https://a.org)"),
        {"R": ("https://r.org", "")},
        first_link=4,
    )
    assert run == TextRun("a [4], b [5], c [6], again [4]", ("https://a.org", "https://b.org", "https://r.org"))


def test_an_address_that_is_its_own_text_needs_no_number() -> None:
    run = render_text(Markdown("<https://a.org>, [https://b.org](https://b.org), <me@example.org>"), {})
    assert run == TextRun("https://a.org, https://b.org, me@example.org")


def test_links_in_raw_html_are_kept_and_its_tags_are_not() -> None:
    run = render_text(Markdown('see <a href="https://a.org?x=1&amp;y">this</a><br>and <b>that</b>'), {})
    assert run == TextRun("see this [1]\nand that", ("https://a.org?x=1&y",))


def test_what_sanitising_drops_from_html_is_dropped_from_text() -> None:
    assert text_of("<div>kept <script>alert(1)</script></div>") == "kept"


def test_emphasis_has_its_usual_marks() -> None:
    assert text_of("**a** *b* ~~c~~ `d`") == "*a* _b_ ~c~ `d`"


def test_nested_lists_hang_under_their_text() -> None:
    assert text_of("- one\n  1. deep\n  2. deeper\n- two") == "- one\n  1. deep\n  2. deeper\n- two"


def test_list_numbers_start_where_they_are_told_and_line_up() -> None:
    assert text_of("9. nine\n10. ten") == " 9. nine\n10. ten"


def test_loose_items_are_set_apart_even_around_tight_ones() -> None:
    assert text_of("- a\n\n  - b\n  - c\n\n- d") == "- a\n\n  - b\n  - c\n\n- d"


def test_quotes_carry_their_mark_on_every_line() -> None:
    assert text_of("> a\n>\n> > b") == "> a\n>\n> > b"


def test_code_is_left_alone() -> None:
    code = "x = 1\n\n" + "y = " + "1 + " * 40 + "1"
    assert text_of(f"```\n{code}\n```") == "\n".join(f"    {line}".rstrip() for line in code.split("\n"))


def test_tables_are_aligned() -> None:
    assert text_of("|a|b|\n|:--|--:|\n|漢字|1|\n|x|100|") == "a       b\n----  ---\n漢字    1\nx     100"


def test_a_table_wider_than_the_page_becomes_a_list_of_its_cells() -> None:
    wide = "word " * 16
    shown = text_of(f"|first|second|\n|--|--|\n|{wide}|y|")
    assert shown.startswith("first: word word")
    assert shown.endswith("\nsecond: y")
    assert all(width_of(line) <= COLUMNS for line in shown.split("\n"))


def test_images_say_what_they_show() -> None:
    assert render_text(Markdown("![a plot](https://e.org/i.png)"), {}) == TextRun(
        "[a plot] [1]", ("https://e.org/i.png",)
    )


def test_maths_is_unicode() -> None:
    assert text_of("$x^2$ and\n\n$$\\alpha$$") == "x² and\n\n    α"


def test_headings_are_underlined() -> None:
    assert text_of("#### A *heading*") == "A _heading_\n-----------"


def test_a_summary_is_one_line_of_what_paragraphs_say() -> None:
    source = "# No\n\nAn **intro** with\na [link](https://a.org) and $x^2$.\n\n```\nno\n```\n\n- item"
    assert render_summary(Markdown(source), {}) == "An intro with a link and x². item"


def test_wide_characters_count_twice_and_combining_ones_not_at_all() -> None:
    assert [width_of(text) for text in ("abc", "漢字", "e\u0301", "🦙", "\u200d")] == [3, 4, 1, 2, 0]
    assert pad_text("漢", 4, "right") == "  漢"
    assert pad_text("a", 4, "center") == " a  "


def test_text_without_blanks_wraps_where_its_script_allows() -> None:
    lines = wrap_text("漢" * 40 + "。" + "字" * 5).split("\n")
    assert [width_of(line) for line in lines] == [72, 20]
    assert not any(line.startswith("。") for line in wrap_text("漢" * 36 + "。").split("\n"))
