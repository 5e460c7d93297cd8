"""What was searched for is highlighted where it stands, and nothing else is."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.document import Piece
from newsletter.search.marks import SNIPPET_LENGTH, make_snippet, mark_text
from newsletter.search.query import Query, Term, parse_query
from newsletter.search.words import list_words

SOME = ["one", "two", "THREE", "déjà", "Deja", "de,", "ja.", "深度", "fine-tuning", "tuning\n", "c++", "½"]
TEXTS = st.lists(st.sampled_from(SOME) | st.text()).map(" ".join)
QUERIES = st.lists(st.sampled_from(["one two", '"two three"', "deja", "de*", "度", "fine tun*", "c++", "1", "th"])).map(
    " ".join
)


def show(pieces: Sequence[Piece]) -> str:
    return "".join(f"[{piece.text}]" if piece.highlighted else piece.text for piece in pieces)


def is_match(words: Sequence[str], term: Term) -> bool:
    """Whether a term stands somewhere in these words."""
    count = len(term.words)
    for at in range(len(words) - count + 1):
        *first, last = words[at : at + count]
        if tuple(first) == term.words[:-1] and (
            last == term.words[-1] or (term.prefix and last.startswith(term.words[-1]))
        ):
            return True
    return False


@pytest.mark.parametrize(
    ("query", "text", "shown"),
    [
        ("models", "Large Models, model and modelling", "Large [Models], model and modelling"),
        ("model*", "Large Models, model and modelling", "Large [Models], [model] and [modelling]"),
        ('"large models"', "Large, large models; models", "Large, [large models]; models"),
        ("fine-tuning", "Fine–tuning is fine", "[Fine–tuning] is fine"),
        ('"one two" "two three"', "one two three", "[one two three]"),
        ("deja", "déjà vu", "[déjà] vu"),
        ("学习", "深度学习", "深度[学习]"),
        ("models -large", "Large models", "Large [models]"),
        ("<b>", "a <b> & c", "a <[b]> & c"),
        ("nothing", "Large models", "Large models"),
        ("x", "", ""),
    ],
)
def test_a_text_is_marked(query: str, text: str, shown: str) -> None:
    assert show(mark_text(text, parse_query(query))) == shown


@given(QUERIES | st.text(max_size=30), TEXTS)
def test_only_what_matches_is_marked_and_all_of_it(asked: str, text: str) -> None:
    query = parse_query(asked)
    pieces = mark_text(text, query)
    assert "".join(piece.text for piece in pieces) == text
    for piece in pieces:
        found = [term for term in query.terms if is_match(list_words(piece.text), term)]
        assert bool(found) == piece.highlighted
    for term in query.terms:
        if is_match(list_words(text), term):
            assert any(piece.highlighted for piece in pieces)


@given(QUERIES | st.text(max_size=30), TEXTS | st.text(min_size=300))
def test_a_snippet_is_a_part_of_the_text(asked: str, text: str) -> None:
    query = parse_query(asked)
    shown = "".join(piece.text for piece in make_snippet(text, query))
    assert len(shown) <= SNIPPET_LENGTH + 4
    assert shown.removeprefix("… ").removesuffix(" …") in " ".join(text.split())


def test_a_snippet_shows_where_most_of_the_terms_stand() -> None:
    text = f"one {'word ' * 200}two {'word ' * 200}one and two {'word ' * 200}"
    shown = show(make_snippet(text, parse_query("one two")))
    assert "[one] and [two]" in shown
    assert shown.startswith("… word")
    assert shown.endswith("word …")


def test_a_snippet_without_a_match_is_the_beginning() -> None:
    assert make_snippet("Short\nand whole.", Query()) == (Piece("Short and whole.", False),)
    assert show(make_snippet("word " * 100, parse_query("else"))).startswith("word word")


def test_a_snippet_of_a_script_without_spaces_is_cut_all_the_same() -> None:
    shown = show(make_snippet("深度学习" * 200 + "完" + "深度学习" * 200, parse_query("完")))
    assert "[完]" in shown
    assert len(shown) < SNIPPET_LENGTH + 10


def test_marking_a_long_text_full_of_matches_takes_no_longer_than_it_is_long() -> None:
    assert make_snippet("word " * 100_000, parse_query("word wor* wo*"))[0].highlighted
