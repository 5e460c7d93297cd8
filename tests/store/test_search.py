"""Issues and papers are found by what they say, on either engine."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from newsletter.errors import NotFoundError
from newsletter.model.document import Document, DocumentKind, Hit
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from newsletter.store.documents import Unindexed, index_edition, is_indexed, list_unindexed
from newsletter.store.editions import correct_edition, freeze_edition
from newsletter.store.search import search_works

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
ISSUE = Document(DocumentKind.ISSUE, "Twenty papers in May", "An introduction about agents.")
PAPER = Document(
    DocumentKind.ENTRY,
    title="Large Language Models: déjà vu",
    body="Why fine-tuning of models works in C++.\nIt is RLHF, after all.",
    authors=("Łukasz Kaiser", "Ada Lovelace"),
    section="LLMs & friends",
    topic="llms-friends",
    anchor="large",
    page_slug="arxiv-2405.16295",
    identifier="arxiv:2405.16295",
)
POST = Document(
    DocumentKind.ENTRY, "A post on 深度学习", "Nothing else.", section="Other", topic="other", anchor="post"
)

FINDS = (
    "language",
    "LANGUAGE models",
    "langu",
    "deja vu",
    "Déjà",
    "lukasz kaiser",
    "Łukasz",
    '"large language"',
    '"fine tuning"',
    "fine-tuning",
    "rlhf*",
    "rl* works",
    "C++",
    "friends",
    "2405.16295",
    "2405.16295v3",
    "arXiv:2405.16295",
    "https://arxiv.org/pdf/2405.16295v1",
    "works -agents",
    "works -",
    'works "',
)
FINDS_NOTHING = (
    "",
    " ",
    "*",
    '"',
    "-",
    "-agents",
    "-nothing",
    "AND",
    "NEAR(large, models)",
    '"language large"',
    "anguage",
    "l*",
    "(",
    "%",
)

Index = Callable[..., int]


@pytest.fixture
def index(database: Database, edition: Edition) -> Index:
    """Freeze an edition, index what can be found of it, and return its number."""

    def index(*documents: Document, slug: str = "2024-05-25", when: date = date(2024, 5, 25)) -> int:
        with database.transaction() as connection:
            stored = freeze_edition(connection, replace(edition, slug=slug, issue_date=when), "source", NOW)
            index_edition(connection, stored.id, documents, "1")
        return stored.id

    return index


def search(database: Database, query: str, **narrowed: object) -> list[str]:
    with database.read() as connection:
        page = search_works(connection, query, **narrowed)  # type: ignore[arg-type]
    assert page.total == len(page.hits)
    return [hit.plain_title for hit in page.hits]


def test_a_paper_is_found_by_what_is_in_it(database: Database, index: Index) -> None:
    index(ISSUE, PAPER, POST)
    for query in FINDS:
        assert search(database, query) == [PAPER.title], query


def test_a_query_may_find_nothing(database: Database, index: Index) -> None:
    index(ISSUE, PAPER, POST)
    for query in FINDS_NOTHING:
        assert search(database, query) == [], query


def test_a_phrase_of_a_script_without_spaces_is_found(database: Database, index: Index) -> None:
    index(ISSUE, PAPER, POST)
    assert search(database, "度学") == [POST.title]
    assert search(database, "学度") == []


def test_a_hit_says_where_it_is(database: Database, index: Index) -> None:
    index(ISSUE, PAPER, POST)
    with database.read() as connection:
        (hit,) = search_works(connection, "rlhf").hits
    assert isinstance(hit, Hit)
    assert (hit.slug, hit.anchor, hit.page_slug, hit.date) == (
        "2024-05-25",
        "large",
        "arxiv-2405.16295",
        date(2024, 5, 25),
    )
    assert (hit.section, hit.topic, hit.authors, hit.identifier) == (
        PAPER.section,
        PAPER.topic,
        PAPER.authors,
        PAPER.identifier,
    )
    assert [piece.text for piece in hit.snippet if piece.highlighted] == ["RLHF"]


def test_a_title_weighs_more_than_a_body(database: Database, index: Index) -> None:
    in_body = Document(DocumentKind.ENTRY, "One", "A body of agents and more words.", anchor="one")
    in_title = Document(DocumentKind.ENTRY, "Agents", "A body of some words.", anchor="two")
    others = [replace(POST, anchor=str(number)) for number in range(5)]
    index(replace(ISSUE, body=""), in_body, in_title, *others)
    assert search(database, "agents") == ["Agents", "One"]


def test_of_two_that_are_as_good_the_newer_is_first(database: Database, index: Index) -> None:
    for day in (24, 25, 26):
        index(replace(ISSUE, title=f"Day {day}"), slug=f"2024-05-{day}", when=date(2024, 5, day))
    assert search(database, "agents") == ["Day 26", "Day 25", "Day 24"]


def test_what_stands_everywhere_is_shown_newest_first(
    database: Database, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.store.search.BROAD", 1)
    index(replace(ISSUE, title="Agents", body=""), slug="2024-05-24", when=date(2024, 5, 24))
    index(ISSUE)
    assert search(database, "agents") == [ISSUE.title, "Agents"]


def test_a_search_can_be_narrowed_to_a_year_and_a_section(database: Database, index: Index) -> None:
    index(ISSUE, PAPER, POST)
    index(replace(ISSUE, title="Last year"), slug="2023-05-25", when=date(2023, 5, 25))
    assert search(database, "agents", year=2023) == ["Last year"]
    assert search(database, "agents", year=-1) == []
    assert search(database, "models", section="llms-friends") == [PAPER.title]
    assert search(database, "models", section="other") == []
    assert search(database, "2405.16295", section="other") == []


def test_pages_of_hits_follow_each_other(database: Database, index: Index) -> None:
    index(ISSUE, *(replace(PAPER, title=f"Paper {number}", anchor=str(number)) for number in range(7)))
    with database.read() as connection:
        pages = [search_works(connection, "rlhf", limit=3, offset=at) for at in (0, 3, 6, 9)]
    assert {page.total for page in pages} == {7}
    titles = [hit.plain_title for page in pages for hit in page.hits]
    assert len(titles) == len(set(titles)) == 7


def test_indexing_again_replaces(database: Database, index: Index) -> None:
    index(ISSUE, PAPER, POST)
    index(ISSUE, replace(PAPER, title="Corrected"))
    assert search(database, "rlhf") == ["Corrected"]
    assert search(database, "Nothing else") == []
    index()
    assert search(database, "rlhf") == []


def test_only_one_edition_is_replaced(database: Database, index: Index) -> None:
    numbers = [index(ISSUE, PAPER, slug=slug) for slug in ("2024-05-25", "2024-05-26")]
    assert numbers[1] == numbers[0] + 1
    index(ISSUE)
    assert search(database, "rlhf") == [PAPER.title]


def test_what_is_behind_is_known(database: Database, index: Index, edition: Edition) -> None:
    number = index(ISSUE)
    with database.transaction() as connection:
        assert list_unindexed(connection, "1") == []
        assert list_unindexed(connection, "2") == [Unindexed(number, "2024-05-25", date(2024, 5, 25))]
        assert is_indexed(connection, number, "1")
        assert not is_indexed(connection, number, "2")
        other = freeze_edition(connection, replace(edition, slug="2024-05-26"), "source", NOW)
        assert [one.id for one in list_unindexed(connection, "1")] == [other.id]
        freeze_edition(connection, edition, "another source", NOW)
        assert [one.id for one in list_unindexed(connection, "1")] == [other.id, number]
        correct_edition(connection, edition, "source", NOW)
        assert is_indexed(connection, number, "1")


def test_a_roll_up_is_never_behind(database: Database, edition: Edition) -> None:
    with database.transaction() as connection:
        freeze_edition(connection, edition, "source", NOW)
        connection.execute(text("UPDATE editions SET kind = 'weekly'"))
        assert list_unindexed(connection, "1") == []


def test_an_edition_that_is_not_there_is_not_indexed(database: Database) -> None:
    with pytest.raises(NotFoundError), database.transaction() as connection:
        index_edition(connection, 7, [ISSUE], "1")


def test_a_huge_document_is_found_by_its_title_and_its_beginning(database: Database, index: Index) -> None:
    words = " ".join(f"word{number} \U0001d49c{'𐐨' * 50}" for number in range(20_000))
    index(replace(ISSUE, body=f"beginning {words} ending"))
    assert search(database, "May beginning word3") == [ISSUE.title]
    assert search(database, "ending") == []
