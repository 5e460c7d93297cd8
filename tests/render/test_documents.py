"""Everything a reader sees of an issue can be found."""

from newsletter.model.document import DocumentKind
from newsletter.model.issue import Issue, Markdown
from newsletter.render.documents import compose_documents, describe_documents
from newsletter.render.text import render_bare


def test_an_issue_and_each_of_its_entries_is_a_document(issue: Issue) -> None:
    whole, *entries = compose_documents(issue)
    assert (whole.kind, whole.title, whole.authors) == (DocumentKind.ISSUE, issue.title, issue.authors)
    assert whole.body.startswith("With one of everything\nAn intro with a link.")
    assert [entry.anchor for entry in entries] == [entry.anchor for entry in issue.entries]
    assert {entry.kind for entry in entries} == {DocumentKind.ENTRY}


def test_an_entry_says_what_it_is_and_where(issue: Issue) -> None:
    paper = compose_documents(issue)[1]
    assert paper.title == "Sparse & fast: O(n) attention for <everyone>"
    assert (paper.page_slug, paper.identifier) == ("arxiv-2405.16325", "arxiv:2405.16325")
    assert paper.section == issue.sections[0].title
    assert paper.topic
    assert len(paper.authors) == 11


def test_lists_tables_code_maths_and_quotations_can_be_found(issue: Issue) -> None:
    body = compose_documents(issue)[1].body
    for said in ("nested", "A quotation", "71.2", "def attention(query):", "Accuracy over time"):
        assert said in body
    assert "speed" in body
    assert "**" not in body
    assert "Why?" not in body


def test_raw_html_is_found_by_what_it_shows() -> None:
    assert render_bare(Markdown("<div>kept <script>alert(1)</script></div>\n\n$$\nx^2\n$$\n\n- a\n- b"), {}) == (
        "kept\nx²\na\nb"
    )


def test_other_labels_or_another_language_make_other_documents() -> None:
    versions = {
        describe_documents(labels, language)
        for labels, language in ((["Why?"], "en"), (["Why?"], "de"), (["Why?", "How?"], "en"), ([], "en"))
    }
    assert len(versions) == 4
