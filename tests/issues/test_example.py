"""The issue that ships as the example: whole, without a single problem, and read in no time."""

import time
from pathlib import Path

import pytest

from newsletter.config import Issues
from newsletter.issues.check import check_issue
from newsletter.issues.folder import load_issue
from newsletter.issues.parse import parse_issue
from newsletter.model.issue import Issue

FOLDER = Path(__file__).parent.parent.parent / "issues"


@pytest.fixture
def example() -> Issue:
    """The example issue."""
    parsed = load_issue(Issues(folder=FOLDER), "2024-05-25")
    assert parsed.problems == ()
    assert parsed.issue is not None
    return parsed.issue


def test_it_has_five_sections_one_of_them_empty_and_21_papers(example: Issue) -> None:
    assert [(section.title, len(section.entries)) for section in example.sections] == [
        ("Core research improving LLMs!", 7),
        ("LLMs evaluations", 1),
        ("Survey papers", 0),
        ("Let’s make LLMs safe!!", 5),
        ("Creative ways to use LLMs!!", 8),
    ]


def test_every_paper_has_an_arxiv_id_with_its_version_authors_and_text(example: Issue) -> None:
    for entry in example.entries:
        assert entry.identifier is not None
        assert (entry.identifier.scheme, entry.identifier.version) == ("arxiv", "v1")
        assert len(entry.authors) >= 3
        assert [field.label for field in entry.fields if field.label != "How?"] in ([], ["Why?"], ["Why?", "Results"])
        assert "How?" in [field.label for field in entry.fields]


def test_what_its_source_leaves_out_is_left_out(example: Issue) -> None:
    labels = [field.label for entry in example.entries for field in entry.fields]
    assert (labels.count("Why?"), labels.count("How?"), labels.count("Results")) == (18, 21, 9)
    assert sum(bool(entry.code_url) for entry in example.entries) == 3


def test_a_list_inside_a_field_is_kept(example: Issue) -> None:
    (entry,) = (entry for entry in example.entries if entry.id == "arxiv:2405.16334")
    assert entry.fields[1].body.source.count("\n- **") == 3


def test_it_passes_every_check(example: Issue) -> None:
    assert check_issue(example, Issues(), {}) == ()


def test_it_is_read_in_well_under_20_milliseconds(example: Issue) -> None:
    best = 1.0
    for _ in range(10):
        started = time.process_time()
        parse_issue(example.source, example.path, labels=Issues().labels)
        best = min(best, time.process_time() - started)
    assert best < 0.02
