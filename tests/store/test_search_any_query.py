"""Whatever is typed: no engine raises, and both find exactly the documents in which every term stands."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from newsletter.model.document import Document, DocumentKind
from newsletter.model.edition import Edition
from newsletter.search.query import MAX_QUERY, MAX_TERMS, Term, parse_query
from newsletter.search.words import list_words
from newsletter.store.database import Database
from newsletter.store.documents import index_edition
from newsletter.store.editions import freeze_edition
from newsletter.store.search import search_works

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
# The database is filled anew by every example that needs it.
ON_ONE_DATABASE = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

TYPED = "one ones two déjà DEJA fine-tuning fine 深度学习 C++ c ½ and or not near"
SIGNS = "- \" * ( ) : | & ! ' \\ <-> ^ {title} AND OR NOT NEAR % https://x.org/ \0"
WORDS = TYPED.split()
QUERIES = st.lists(
    st.sampled_from([*WORDS, *SIGNS.split(" "), "dej", "tw", "度学"]) | st.text(max_size=5), max_size=6
).flatmap(lambda words: st.sampled_from(["", " "]).map(lambda between: between.join(words)))
TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
DOCUMENTS = st.lists(st.builds(Document, st.just(DocumentKind.ENTRY), TEXTS, TEXTS, st.tuples(TEXTS)), max_size=5)
ISSUE = Document(DocumentKind.ISSUE, "An issue", "")


def fill(database: Database, edition: Edition, documents: list[Document]) -> None:
    with database.transaction() as connection:
        index_edition(connection, freeze_edition(connection, edition, "source", NOW).id, documents, "1")


def stands_in(term: Term, text: str) -> bool:
    words, count = list_words(text), len(term.words)
    for at in range(len(words) - count + 1):
        last, wanted = words[at + count - 1], term.words[-1]
        goes_on = term.prefix and last.startswith(wanted)
        if tuple(words[at : at + count - 1]) == term.words[:-1] and (last == wanted or goes_on):
            return True
    return False


def is_wanted(document: Document, query: str) -> bool:
    asked = parse_query(query)
    columns = (document.title, document.body, "\n".join(document.authors))
    found = [any(stands_in(term, column) for column in columns) for term in asked.terms]
    return bool(found) and all(found) and not any(stands_in(term, c) for term in asked.without for c in columns)


@ON_ONE_DATABASE
@given(documents=DOCUMENTS, queries=st.lists(QUERIES, max_size=10))
def test_exactly_what_a_query_says_is_found(
    database: Database, edition: Edition, documents: list[Document], queries: list[str]
) -> None:
    named = [replace(document, anchor=f"entry-{at}") for at, document in enumerate(documents)]
    fill(database, edition, [ISSUE, *named])
    with database.read() as connection:
        for query in queries:
            page = search_works(connection, query)
            anchors = {hit.anchor for hit in page.hits if hit.anchor}
            assert anchors == {document.anchor for document in named if is_wanted(document, query)}, query
            assert page.total == len(page.hits)


@ON_ONE_DATABASE
@given(st.text())
@example("\0")
@example("\ud800")
@example("https://example.org/\0\ud800")
@example("'; DROP TABLE documents; --")
@example('"' * 300)
@example("a* " * 300)
def test_no_query_is_too_strange(database: Database, query: str) -> None:
    with database.read() as connection:
        assert search_works(connection, query).hits == ()
        assert search_works(connection, "word", section=query).hits == ()
        assert search_works(connection, query, year=len(query) * 1000, offset=10**9, limit=10**9).hits == ()


@ON_ONE_DATABASE
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60))
def test_whatever_stands_in_a_title_is_found_by_it(database: Database, edition: Edition, title: str) -> None:
    fill(database, edition, [replace(ISSUE, title=title)])
    query = " ".join(list_words(title)[:MAX_TERMS])
    with database.read() as connection:
        hits = search_works(connection, query).hits
    if not query:
        assert hits == ()
    elif len(query) <= MAX_QUERY:
        assert [hit.plain_title for hit in hits] == [title]
        assert any(piece.highlighted for piece in hits[0].title)
