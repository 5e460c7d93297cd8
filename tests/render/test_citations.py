"""Citations as reference managers read them: by pybtex, rispy and the rules of CSL-JSON."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
import rispy
from hypothesis import given
from hypothesis import strategies as st
from pybtex.database import parse_string

from newsletter.model.edition import PublishedIssue
from newsletter.model.issue import Entry, Identifier, Issue, Section
from newsletter.render.citations import (
    Citation,
    cite_issue,
    cite_work,
    parse_submitted,
    render_bibtex,
    render_csl,
    render_ris,
)
from newsletter.render.content import compose_card
from newsletter.render.names import Name, parse_authors
from newsletter.render.works import Appearance

AT = datetime(2024, 5, 25, 9, tzinfo=UTC)
PAPER = Entry(
    id="arxiv:2405.16325",
    anchor="p",
    title="Sparse $O(n^2)$ & {LLM}s",
    identifier=Identifier("arxiv", "2405.16325", "v1"),
    authors=("Laurens van der Maaten", "OpenAI", "et al."),
)
WORK = Entry(id="doi:10.1/x", anchor="d", title="On <DOIs>", identifier=Identifier("doi", "10.1002/(sici)a_1<2>3{4}"))
NOTE = Entry(id="2024-05-25#n", anchor="n", title="A note")
ISSUE = Issue(
    "2024-05-25.md",
    "2024-05-25",
    date(2024, 5, 25),
    "Papers",
    "",
    sections=(Section("S", "s", entries=(PAPER, WORK, NOTE)),),
)
CARD = compose_card(ISSUE, PublishedIssue("2024-05-25", date(2024, 5, 25), "hash", AT, AT))


def cited(entry: Entry = PAPER) -> Citation:
    return cite_work([Appearance(CARD, ISSUE, entry)])


def issue() -> list[Citation]:
    return cite_issue(ISSUE, CARD, "https://n.example/issues/2024-05-25/", "LLM Papers Daily", "Ada Editor")


def read_bibtex(text: str) -> Any:
    return parse_string(text, "bibtex").entries


def read_csl(text: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(text)
    return items


def test_bibtex_names_a_preprint_as_arxiv_does() -> None:
    (entry,) = read_bibtex(render_bibtex([cited()])).values()
    assert entry.type == "misc"
    assert entry.key == "arxiv-2405.16325"
    assert dict(entry.fields) == {
        "title": r"{Sparse O(n²) \& \textbraceleft{}LLM\textbraceright{}s}",
        "eprint": "2405.16325",
        "archiveprefix": "arXiv",
        "doi": "10.48550/arXiv.2405.16325",
        "url": "https://arxiv.org/abs/2405.16325v1",
        "year": "2024",
        "month": "May",
    }
    maaten, openai, others = entry.persons["author"]
    assert (maaten.first_names, maaten.prelast_names, maaten.last_names) == (["Laurens"], ["van", "der"], ["Maaten"])
    assert openai.last_names == ["{OpenAI}"]
    assert str(others) == "others"


def test_ris_has_a_tag_a_line_and_its_own_line_ends() -> None:
    text = render_ris([cited()])
    assert text.split("\r\n") == [
        "TY  - GEN",
        "ID  - arxiv-2405.16325",
        "AU  - van der Maaten, Laurens",
        "AU  - OpenAI",
        "TI  - Sparse O(n²) & {LLM}s",
        "PB  - arXiv",
        "AN  - arXiv:2405.16325",
        "PY  - 2024",
        "DA  - 2024/05//",
        "DO  - 10.48550/arXiv.2405.16325",
        "UR  - https://arxiv.org/abs/2405.16325v1",
        "ER  - ",
        "",
        "",
    ]


def test_csl_names_a_preprint_an_article() -> None:
    assert read_csl(render_csl([cited()])) == [
        {
            "id": "arxiv-2405.16325",
            "type": "article",
            "title": "Sparse O(n²) & {LLM}s",
            "author": [
                {"family": "Maaten", "given": "Laurens", "non-dropping-particle": "van der"},
                {"literal": "OpenAI"},
            ],
            "issued": {"date-parts": [[2024, 5]]},
            "number": "arXiv:2405.16325",
            "publisher": "arXiv",
            "DOI": "10.48550/arXiv.2405.16325",
            "URL": "https://arxiv.org/abs/2405.16325v1",
        }
    ]


def test_a_doi_says_nothing_that_it_does_not_know() -> None:
    (entry,) = read_bibtex(render_bibtex([cited(WORK)])).values()
    assert set(entry.fields) == {"title", "doi", "url"}
    # What is read as it stands must not hold braces, and nothing else of it changes.
    assert entry.fields["doi"] == "10.1002/(sici)a_1<2>3%7B4%7D"
    (item,) = read_csl(render_csl([cited(WORK)]))
    assert item["DOI"] == "10.1002/(sici)a_1<2>3{4}"
    assert not {"issued", "publisher", "author"} & item.keys()


def test_an_issue_is_cited_before_its_papers_and_notes_are_not() -> None:
    citations = issue()
    assert [citation.key for citation in citations] == ["issue-2024-05-25", "arxiv-2405.16325", cited(WORK).key]
    entries = read_bibtex(render_bibtex(citations))
    assert entries["issue-2024-05-25"].fields["howpublished"] == "LLM Papers Daily"
    assert str(entries["issue-2024-05-25"].persons["author"][0]) == "Editor, Ada"
    first = rispy.loads(render_ris(citations))[0]
    assert (first["type_of_reference"], first["secondary_title"], first["date"]) == (
        "ELEC",
        "LLM Papers Daily",
        "2024/05/25/",
    )
    assert read_csl(render_csl(citations))[0] == {
        "id": "issue-2024-05-25",
        "type": "webpage",
        "title": "Papers",
        "author": [{"family": "Editor", "given": "Ada"}],
        "issued": {"date-parts": [[2024, 5, 25]]},
        "container-title": "LLM Papers Daily",
        "URL": "https://n.example/issues/2024-05-25/",
        "language": "en",
    }


def test_a_publication_without_an_editor_is_no_person() -> None:
    own, *_ = cite_issue(ISSUE, CARD, "https://n.example/issues/2024-05-25/", "LLM Papers Daily", "LLM Papers Daily")
    assert "author = {{LLM Papers Daily}}" in render_bibtex([own])
    assert "AU  - LLM Papers Daily" in render_ris([own])
    assert read_csl(render_csl([own]))[0]["author"] == [{"literal": "LLM Papers Daily"}]


def test_authors_come_from_the_latest_issue_that_names_any() -> None:
    bare = replace(PAPER, authors=())
    both = cite_work([Appearance(CARD, ISSUE, bare), Appearance(CARD, ISSUE, PAPER)])
    assert both.authors == cited().authors


@pytest.mark.parametrize(
    ("identifier", "issued"),
    [
        (Identifier("arxiv", "hep-th/9901001"), (1999, 1)),
        (Identifier("arxiv", "0704.0001"), (2007, 4)),
        (Identifier("arxiv", "math/0013001"), ()),
        (Identifier("doi", "10.1/2024"), ()),
        (None, ()),
    ],
)
def test_a_date_is_known_as_far_as_the_identifier_tells(identifier: Identifier | None, issued: tuple[int, ...]) -> None:
    assert parse_submitted(replace(PAPER, identifier=identifier)) == issued


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text(
    "aB{}\\\"@%#&$_^~<>,= \n-'", max_size=40
)


def titled(title: str) -> Citation:
    return cited(replace(PAPER, title=title))


def untex(text: str) -> str:
    names = {"textbackslash": "\\", "textbraceleft": "{", "textbraceright": "}", "textasciitilde": "~"}
    names |= {"textasciicircum": "^", "textless": "<", "textgreater": ">"}
    return re.sub(r"\\(?:([a-z]+)\{\}|(.))", lambda match: names[match[1]] if match[1] else match[2], text)


@given(TEXT)
def test_any_title_comes_back_from_bibtex(title: str) -> None:
    citation = titled(title)
    entries = read_bibtex(render_bibtex([citation, cited(WORK)]))
    assert list(entries) == ["arxiv-2405.16325", cited(WORK).key]
    shown = entries["arxiv-2405.16325"].fields.get("title", "{}")
    assert untex(shown[1:-1]).split() == citation.title.split()


@given(TEXT)
def test_any_title_comes_back_from_ris(title: str) -> None:
    citation = titled(title)
    first, second = rispy.loads(render_ris([citation, cited(WORK)]))
    assert first.get("title", "").split() == citation.title.split()
    assert second["doi"] == cited(WORK).doi


@given(TEXT)
def test_any_title_comes_back_from_csl(title: str) -> None:
    citation = titled(title)
    assert read_csl(render_csl([citation]))[0].get("title", "") == citation.title


WORD = st.text(
    st.characters(categories=["Lu", "Ll", "Lt", "Lo", "Pd", "Po", "Sm"], exclude_characters=",;"),
    min_size=1,
    max_size=8,
)
WORDS = st.lists(
    WORD | st.sampled_from(["van", "de", "la", "and", "Jr.", "III", "{", "\\", "d'Or"]), min_size=1, max_size=5
)


@given(st.lists(WORDS.map(" ".join), min_size=1, max_size=4))
def test_any_list_of_authors_comes_back_from_bibtex_as_so_many_with_all_their_words(names: list[str]) -> None:
    citation = cited(replace(PAPER, authors=tuple(names)))
    (entry,) = read_bibtex(render_bibtex([citation])).values()
    found = [person for person in entry.persons.get("author", []) if str(person) != "others"]
    assert [
        words(untex(" ".join(map(str, parts_of(person)))).replace("{", "").replace("}", "")) for person in found
    ] == [
        words(
            " ".join((one.literal, one.given, one.particle, one.family, one.suffix)).replace("{", "").replace("}", "")
        )
        for one in citation.authors
    ]


def parts_of(person: Any) -> list[str]:
    return [
        *person.first_names,
        *person.middle_names,
        *person.prelast_names,
        *person.last_names,
        *person.lineage_names,
    ]


def words(text: str) -> list[str]:
    return sorted(text.split())


@given(st.lists(WORDS.map(" ".join), min_size=1, max_size=4))
def test_any_list_of_authors_comes_back_from_ris_and_csl(names: list[str]) -> None:
    citation = cited(replace(PAPER, authors=tuple(names)))
    assert citation.authors == parse_authors(names)[0]
    (found,) = rispy.loads(render_ris([citation]))
    assert len(found.get("authors", [])) == len(citation.authors)
    (item,) = read_csl(render_csl([citation]))
    parsed = [
        Name(
            one.get("family", ""),
            one.get("given", ""),
            one.get("non-dropping-particle", ""),
            one.get("suffix", ""),
            one.get("literal", ""),
        )
        for one in item.get("author", [])
    ]
    assert tuple(parsed) == citation.authors
