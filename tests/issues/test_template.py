from datetime import date

import pytest

from newsletter.config import Issues
from newsletter.issues.check import check_issue
from newsletter.issues.parse import parse_issue
from newsletter.issues.template import compose_new_issue

DAY = date(2024, 5, 26)


@pytest.mark.parametrize(
    "rules",
    [
        Issues(),
        Issues(sections=("News", "Tools")),
        Issues(labels=("What", "So what?")),
        Issues(topics=("llm", "safety")),
    ],
)
@pytest.mark.parametrize("title", ["LLM Papers Daily", 'The "Quoted": a # paper \\ é', "'"])
def test_checking_a_new_file_points_at_what_is_to_be_filled_in_and_nothing_else(rules: Issues, title: str) -> None:
    source = compose_new_issue(rules, DAY, title)
    parsed = parse_issue(source, "issues/2024-05-26.md", labels=rules.labels)
    assert parsed.problems == ()
    assert parsed.issue is not None
    problems = check_issue(parsed.issue, rules, {})
    assert {problem.code for problem in problems} == {"placeholder"}
    marked = {number for number, line in enumerate(source.split("\n"), 1) if "TK" in line and "TK marks" not in line}
    assert {problem.line for problem in problems} == marked


def test_the_file_has_the_fixed_sections_in_their_order() -> None:
    parsed = parse_issue(compose_new_issue(Issues(sections=("B", "A")), DAY, "T"), "2024-05-26.md", labels=())
    assert parsed.issue is not None
    assert [(section.title, len(section.entries)) for section in parsed.issue.sections] == [("B", 1), ("A", 0)]


def test_the_title_says_publication_and_day() -> None:
    parsed = parse_issue(compose_new_issue(Issues(), DAY, 'My "Paper"'), "2024-05-26.md", labels=())
    assert parsed.issue is not None
    assert parsed.issue.title == 'My "Paper", 26 May 2024: TK'


def test_readers_never_see_the_help() -> None:
    parsed = parse_issue(compose_new_issue(Issues(), DAY, "T"), "2024-05-26.md", labels=Issues().labels)
    assert parsed.issue is not None
    (entry,) = parsed.issue.entries
    assert [each.body.source for each in entry.fields] == ["TK", "TK", "TK"]
