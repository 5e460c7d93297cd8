"""What a roll-up brings, to whom."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.edition import EditionKind
from newsletter.model.issue import Entry, Issue, Section
from newsletter.model.rollup import Rollup, period_of
from newsletter.model.topic import topic_key
from newsletter.model.variant import WHOLE, Share, VariantKey
from newsletter.render.digest import NOTHING_NEW, compile_rollup, cut_chapters, decide_share, reduce_share, works_of

MONDAY = date(2024, 5, 20)
WEEK = period_of(EditionKind.WEEKLY, MONDAY)
Papers = Mapping[str, Sequence[str]]


def make_issue(day: int, papers: Papers) -> Issue:
    on = MONDAY + timedelta(days=day)
    sections = (
        Section(title, topic_key(title), entries=tuple(Entry(work, work, work.upper()) for work in works))
        for title, works in papers.items()
    )
    return Issue(f"{on}.md", str(on), on, f"Papers of {on}", "", sections=tuple(sections))


def shape(rollup: Rollup) -> dict[str, list[tuple[str, int]]]:
    """Return what stands where: by section, each work with the day it is from."""
    return {
        chapter.title: [(item.entry.id, (item.issue.date - MONDAY).days) for item in chapter.items]
        for chapter in rollup.chapters
    }


def test_sections_are_joined_in_the_publications_order_and_then_as_they_appear() -> None:
    issues = [make_issue(1, {"agents": ["c"], "Odd": ["d"]}), make_issue(0, {"Safety": ["a"], "Agents!": ["b"]})]
    rollup = compile_rollup(WEEK, issues, ("Agents", "Evaluations"))
    assert shape(rollup) == {"Agents": [("b", 0), ("c", 1)], "Safety": [("a", 0)], "Odd": [("d", 1)]}
    assert list(shape(rollup)) == ["Agents", "Safety", "Odd"]
    assert [issue.date for issue in rollup.issues] == [MONDAY, MONDAY + timedelta(days=1)]


def test_a_work_is_brought_once_by_its_first_issue() -> None:
    issues = [make_issue(0, {"A": ["x"], "B": ["x"]}), make_issue(1, {"A": ["x", "y"]})]
    assert shape(compile_rollup(WEEK, issues, ())) == {"A": [("x", 0), ("y", 1)]}


def test_who_chose_only_the_second_section_of_a_work_gets_it_there() -> None:
    issues = [make_issue(0, {"A": ["x"]}), make_issue(1, {"B": ["x"]})]
    key = decide_share(WEEK, issues, frozenset({"b"}), ()).key
    assert shape(compile_rollup(WEEK, issues, (), key)) == {"B": [("x", 1)]}


def test_a_choice_comes_to_the_sections_that_have_something() -> None:
    issues = [make_issue(0, {"A": ["x"], "B": [], "C": ["y"]})]
    assert decide_share(WEEK, issues, frozenset(), ()) == Share(WHOLE)
    assert decide_share(WEEK, issues, frozenset("abc"), ()) == Share(WHOLE)
    assert decide_share(WEEK, issues, frozenset("ab"), ()).key == VariantKey(frozenset("a"))
    assert decide_share(WEEK, issues, frozenset("b"), ("B",)).reason == "nothing this week for: B"
    month = period_of(EditionKind.MONTHLY, MONDAY)
    assert decide_share(month, issues, frozenset("b"), ()).reason == "nothing this month for: b"


def test_what_a_reader_has_had_is_taken_out_of_his_variant() -> None:
    topics = VariantKey(frozenset("a"))
    assert reduce_share(topics, ("x", "y"), frozenset({"x", "z"})).key == VariantKey(frozenset("a"), frozenset("x"))
    assert reduce_share(topics, ("x", "y"), frozenset({"z"})) == Share(topics)
    assert reduce_share(WHOLE, ("x", "y"), frozenset({"x", "y"})) == Share(reason=NOTHING_NEW)


def test_sections_are_cut_at_their_ends_and_say_how_much() -> None:
    rollup = cut_chapters(compile_rollup(WEEK, [make_issue(0, {"A": ["u", "v", "w"], "B": ["x"]})], ()), 1)
    assert [(chapter.title, len(chapter.items), chapter.more) for chapter in rollup.chapters] == [
        ("A", 1, 2),
        ("B", 1, 0),
    ]


WORKS = st.lists(st.sampled_from([f"w{number}" for number in range(8)]), max_size=4, unique=True)
ISSUES = st.lists(st.dictionaries(st.sampled_from("ABC"), WORKS, max_size=3), min_size=1, max_size=4)


@given(ISSUES, st.frozensets(st.sampled_from("abcd")), st.frozensets(st.sampled_from([f"w{n}" for n in range(8)])))
def test_every_reader_is_brought_all_that_he_chose_and_has_not_had_once(
    papers: list[Papers], topics: frozenset[str], had: frozenset[str]
) -> None:
    issues = [make_issue(day, one) for day, one in enumerate(papers)]
    wanted = {
        entry.id
        for issue in issues
        for section in issue.sections
        if not topics or topic_key(section.title) in topics
        for entry in section.entries
    }
    share = decide_share(WEEK, issues, topics, ())
    if not share.reason:
        share = reduce_share(share.key, works_of(compile_rollup(WEEK, issues, (), share.key)), had)
    got = () if share.reason else [item.entry.id for item in compile_rollup(WEEK, issues, (), share.key).items]
    assert sorted(got) == sorted(wanted - had)
