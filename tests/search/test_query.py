"""What is typed into a search box is understood, whatever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.search.query import MAX_QUERY, MAX_TERMS, Query, Term, parse_query


def term(words: str, *, prefix: bool = False) -> Term:
    return Term(tuple(words.split()), prefix)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("language models", Query((term("language"), term("models", prefix=True)))),
        ('"language models"', Query((term("language models"),))),
        ("“language models” now", Query((term("language models"), term("now", prefix=True)))),
        ('"language mod"*', Query((term("language mod", prefix=True),))),
        ('"never closed', Query((term("never closed"),))),
        ("lang* models", Query((term("lang", prefix=True), term("models", prefix=True)))),
        ("models -survey", Query((term("models"),), (term("survey"),))),
        ('models -"a survey"', Query((term("models"),), (term("a survey"),))),
        ("models -sur*", Query((term("models"),), (term("sur", prefix=True),))),
        ("fine-tuning", Query((term("fine tuning", prefix=True),))),
        ("C++", Query((term("cplusplus", prefix=True),))),
        ("a b", Query((term("a"), term("b")))),
        ("深度", Query((term("深 度"),))),
        ("models models", Query((term("models"), term("models", prefix=True)))),
        ("- -- * +", Query()),
        ("AND OR NEAR(x)", Query((term("and"), term("or"), term("near x")))),
        ("arXiv:2405.16325v2", Query((term("arxiv 2405 16325v2", prefix=True),), identifier="arxiv:2405.16325")),
        ("10.1145/3442188", Query((term("10 1145 3442188", prefix=True),), identifier="doi:10.1145/3442188")),
        (
            " https://arxiv.org/abs/2405.16325 ",
            Query((term("https arxiv org abs 2405 16325", prefix=True),), identifier="arxiv:2405.16325"),
        ),
        ("see 2405.16325", Query((term("see"), term("2405 16325", prefix=True)))),
    ],
)
def test_a_query_is_read(text: str, query: Query) -> None:
    assert parse_query(text) == query


@given(st.text())
def test_no_text_is_refused_and_none_asks_for_more_than_can_be_answered(text: str) -> None:
    query = parse_query(text)
    terms = (*query.terms, *query.without)
    assert len(terms) <= MAX_TERMS
    assert all(term.words and all(term.words) for term in terms)


def test_a_query_is_read_up_to_its_limits() -> None:
    query = parse_query("many " * MAX_QUERY)
    assert query.terms == (term("many"), term("many", prefix=True))
    assert len(parse_query(" ".join(f"word{n}" for n in range(99))).terms) == MAX_TERMS
    assert parse_query("a" * 10_000_000).terms[0].prefix
