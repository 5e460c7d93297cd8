"""What a week or a month brought, as a mail."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from newsletter.config import Issues, Publication, Settings
from newsletter.errors import NewsletterError
from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition, EditionKind
from newsletter.model.issue import Entry, Field, Issue, Markdown, Section
from newsletter.model.rollup import Rollup, period_of
from newsletter.model.variant import WHOLE, VariantKey
from newsletter.render.digest import compile_rollup, works_of
from newsletter.render.edition import sender_of
from newsletter.render.rollup import SENTENCE_LENGTH, compose_sentence, fit_rollup, render_rollup

WEEK = period_of(EditionKind.WEEKLY, date(2024, 5, 25))
MONTH = period_of(EditionKind.MONTHLY, date(2024, 5, 25))


def later(issue: Issue, days: int) -> Issue:
    """Return the issue as if it were of another day, with works of its own."""
    day = issue.date - timedelta(days=5 - days)

    def own(entry: Entry) -> Entry:
        return replace(entry, id=f"{entry.id}-{days}", title=f"{entry.title}, {days}")

    sections = (replace(section, entries=tuple(map(own, section.entries))) for section in issue.sections)
    return replace(issue, slug=str(day), date=day, sections=tuple(sections))


@pytest.fixture
def rollup(issue: Issue) -> Rollup:
    return compile_rollup(WEEK, [later(issue, 0), later(issue, 2)], ())


def test_a_rollup_looks_as_it_did(
    rollup: Rollup, settings: Settings, environment: Environment, golden: Callable[[str, str], None]
) -> None:
    rendering = render_rollup(rollup, WHOLE, settings, environment)
    assert len(rendering.works) == len(rollup.items)
    golden("rollup.html", rendering.edition.html)
    golden("rollup.txt", rendering.edition.text)


def test_titles_alone_look_as_they_did(
    issue: Issue, settings: Settings, environment: Environment, golden: Callable[[str, str], None]
) -> None:
    tight = settings.model_copy(update={"issues": Issues(html_error_kb=10, html_warn_kb=8)})
    rollup = compile_rollup(WEEK, [later(issue, at) for at in range(5)], ())
    rendering = render_rollup(rollup, VariantKey(frozenset({"a"})), tight, environment)
    assert len(rendering.works) < len(rollup.items)
    golden("rollup_brief.html", rendering.edition.html)
    golden("rollup_brief.txt", rendering.edition.text)


def test_it_says_when_it_was_and_leads_to_each_issue(
    rollup: Rollup, settings: Settings, environment: Environment
) -> None:
    edition = render_rollup(rollup, WHOLE, settings, environment).edition
    assert edition.subject == edition.title == "What this week brought: 20 May to 22 May 2024"
    assert (edition.slug, edition.issue_date) == ("weekly-2024-W21", date(2024, 5, 26))
    assert edition.page_url == "https://newsletter.example/archive/2024/"
    assert edition.preheader.startswith("Sparse & fast: O(n) attention for <everyone>, 0 · ")
    for part in (edition.html, edition.text):
        assert "https://newsletter.example/issues/2024-05-20/#sparse" in part
        assert "https://newsletter.example/issues/2024-05-22/" in part
        assert "Issue of 20 May" in part
        assert "A post about a paper, 2" in part
        for field in (UNSUBSCRIBE_FIELD, PREFERENCES_FIELD):
            assert field in part


def test_a_title_says_a_day_a_month_or_two_years(issue: Issue, settings: Settings, environment: Environment) -> None:
    def title(rollup: Rollup) -> str:
        return render_rollup(rollup, WHOLE, settings, environment).edition.title

    one = later(issue, 5)
    assert title(compile_rollup(WEEK, [one], ())) == "What this week brought: 25 May 2024"
    assert title(compile_rollup(MONTH, [one], ())) == "What May 2024 brought"
    new_year = [replace(one, date=date(2024, 12, 31)), replace(one, date=date(2025, 1, 2), slug="b", sections=())]
    assert title(compile_rollup(WEEK, new_year, ())) == "What this week brought: 31 December 2024 to 2 January 2025"


def test_it_speaks_the_publications_language(rollup: Rollup, environment: Environment) -> None:
    settings = Settings(publication=Publication(language="de"))
    edition = render_rollup(rollup, WHOLE, settings, environment).edition
    assert edition.subject == "Was diese Woche brachte: 20. Mai bis 22. Mai 2024"
    assert "Ausgabe vom 20. Mai" in edition.html
    assert '<html lang="de"' in edition.html


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("It works on small models. It fails on others.", "It works on small models. It fails on others."),
        ("It works on many small models. It fails.", "It works on many small models."),
        ("Some of them, e.g. Llama 3 and its kin, do well. More.", "Some of them, e.g. Llama 3 and its kin, do well."),
        (
            "As Smith et al. have shown, it was 3.5 times faster. More.",
            "As Smith et al. have shown, it was 3.5 times faster.",
        ),
        (
            "Nobody knew whether it could be done at all (yet!) So.",
            "Nobody knew whether it could be done at all (yet!)",
        ),
        (
            "这是一个相当长的中文句子，说明了为什么这项工作很重要并且值得阅读。第二句。",
            "这是一个相当长的中文句子，说明了为什么这项工作很重要并且值得阅读。",
        ),
        ("```\nonly code\n```", ""),
        ("With *marks*, a [link](https://example.org) and $O(n)$ in it. More.", "With marks, a link and O(n) in it."),
    ],
)
def test_a_sentence_ends_where_it_ends(issue: Issue, said: str, sentence: str) -> None:
    entry = Entry("x", "x", "X", fields=(Field("Why?", Markdown(said)),))
    assert compose_sentence(entry, issue) == sentence


def test_the_lead_goes_before_the_fields_and_what_says_nothing_is_passed_over(issue: Issue) -> None:
    fields = (Field("Why?", Markdown("    code")), Field("How?", Markdown("By trying hard.")))
    assert compose_sentence(Entry("x", "x", "X", fields=fields), issue) == "By trying hard."
    assert compose_sentence(Entry("x", "x", "X", lead=Markdown("A lead."), fields=fields), issue) == "A lead."
    assert compose_sentence(Entry("x", "x", "X"), issue) == ""


@given(st.text(max_size=2000))
def test_a_sentence_is_one_short_line(text: str) -> None:
    issue = Issue("", "s", date(2024, 5, 25), "T", "")
    sentence = compose_sentence(Entry("x", "x", "X", lead=Markdown(text)), issue)
    assert len(sentence) <= SENTENCE_LENGTH
    assert "\n" not in sentence


def make(counts: list[int]) -> Rollup:
    sections = tuple(
        Section(f"S{at}", f"s{at}", entries=tuple(Entry(f"{at}-{n}", f"e{n}", "T") for n in range(count)))
        for at, count in enumerate(counts)
    )
    return compile_rollup(WEEK, [Issue("", "s", date(2024, 5, 25), "T", "", sections=sections)], ())


def draw(rollup: Rollup, brief: bool) -> Edition:
    """Show 500 bytes around, 300 of an entry with its sentence, 100 of a title."""
    size = 500 + len(rollup.items) * (100 if brief else 300)
    return Edition("s", WEEK.last, "", "", "", "en", "", "x" * size, "", sender_of(Settings()))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(1400, 12_000))
def test_what_fits_is_shown_and_each_section_keeps_something(counts: list[int], limit: int) -> None:
    rollup = make(counts)
    shown, edition = fit_rollup(rollup, limit, draw)
    assert len(edition.html) <= limit
    sizes = [len(chapter.items) for chapter in shown.chapters]
    assert [size + chapter.more for size, chapter in zip(sizes, shown.chapters, strict=True)] == counts
    assert min(sizes) >= 1
    whole = 500 + 300 * sum(counts) <= limit
    assert (edition.html == draw(rollup, False).html) == whole or sum(sizes) < sum(counts)
    if sum(sizes) < sum(counts):  # what was cut had no room: one more of each would be too much, or nearly
        most = max(sizes)
        more = sum(min(count, most + 1) for count in counts)
        assert 500 + 100 * more > limit * 0.6


def test_where_not_even_titles_fit_it_is_refused_with_the_setting() -> None:
    with pytest.raises(NewsletterError, match=r"weekly-2024-W21: not even one title .* html_error_kb"):
        fit_rollup(make([1, 1]), 600, draw)


def test_a_month_of_twenty_large_issues_fits(environment: Environment, settings: Settings) -> None:
    def entry(day: int, at: int) -> Entry:
        title = f"A paper with a title of usual length about something new, number {at} of day {day}"
        why = Field("Why?", Markdown("Because of something that takes a whole sentence to say, as it mostly does. So."))
        return Entry(f"{day}-{at}", f"e{at}", title, f"https://arxiv.org/abs/2405.{day:02}{at:03}v1", fields=(why,))

    issues = [
        Issue(
            "",
            f"2024-05-{day:02}",
            date(2024, 5, day),
            "T",
            "",
            sections=tuple(
                Section(name, name, entries=tuple(entry(day, at) for at in range(7 * start, 7 * start + 7)))
                for start, name in enumerate(("agents", "evaluations", "safety"))
            ),
        )
        for day in range(1, 21)
    ]
    rollup = compile_rollup(MONTH, issues, ())
    rendering = render_rollup(rollup, WHOLE, settings, environment)
    assert len(rendering.edition.html.encode()) <= 95_000
    assert len(rendering.works) > 0.8 * len(works_of(rollup))
    assert [len(chapter.items) for chapter in rollup.chapters] == [140, 140, 140]


def test_entries_of_a_section_stand_in_the_order_of_days(
    rollup: Rollup, settings: Settings, environment: Environment
) -> None:
    text = render_rollup(rollup, WHOLE, settings, environment).edition.text
    places = [text.index(f"An entry without link, {days}") for days in (0, 2)]
    assert all(first < second for first, second in pairwise(places))
