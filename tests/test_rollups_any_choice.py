"""Whatever readers choose and whenever they change it: two weeks, their roll-ups, and the month's."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from newsletter.model.edition import EditionKind
from newsletter.model.rollup import period_of
from newsletter.model.subscriber import Cadence
from newsletter.model.topic import topic_key
from newsletter.rollups import commit_rollup
from newsletter.store.database import Database
from newsletter.store.schema import metadata
from tests.press import SECTIONS, Papers, Press
from tests.test_rollups import MONTHLY, WEEKLY, day

TOPICS = tuple(map(topic_key, SECTIONS))
CHOICES = st.frozensets(st.sampled_from(TOPICS))
CADENCES = st.sampled_from(list(Cadence))
PLACES = st.dictionaries(st.integers(1, 9), st.sampled_from((*SECTIONS, "Odds")), min_size=1, max_size=5)
PAPERS = PLACES.map(lambda places: {title: [n for n in places if places[n] == title] for title in places.values()})


@dataclass(frozen=True)
class Change:
    """At a step, a reader chooses anew."""

    step: int
    reader: int
    topics: frozenset[str]
    cadence: Cadence


@dataclass
class Reader:
    topics: frozenset[str]
    cadence: Cadence
    got: set[int] = field(default_factory=set)


READERS = st.lists(st.builds(Reader, CHOICES, CADENCES), min_size=1, max_size=4)
CHANGES = st.lists(st.builds(Change, st.integers(0, 8), st.integers(0, 3), CHOICES, CADENCES), max_size=6)
STEPS: tuple[int | EditionKind, ...] = (
    0,
    1,
    WEEKLY,
    7,
    8,
    WEEKLY,
    MONTHLY,
)  # issues by their day, and roll-ups of the week and month so far


PLAIN = """{% for section in mail.sections %}{% for entry in section.entries %}{{ entry.title }}, {% endfor %}
{% endfor %}{{ mail.unsubscribe_url }}"""


@pytest.fixture
def plain_press(tmp_path: Path, database: Database) -> Press:
    """A publication whose mails show titles and nothing else: what is done a hundred times must be quick."""
    folder = tmp_path / "templates"
    (folder / "email").mkdir(parents=True)
    for name in ("issue.html", "issue.txt", "rollup.html", "rollup.txt"):
        (folder / "email" / name).write_text(PLAIN)
    (folder / "email" / "inline.css").write_text("")
    return Press(tmp_path, database, templates={"folder": folder})


def empty(database: Database) -> None:
    """Take out every row; each example begins anew."""
    with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


@hypothesis_settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(issues=st.lists(PAPERS, min_size=4, max_size=4), readers=READERS, changes=CHANGES)
def test_every_reader_gets_what_he_chose_and_nothing_twice_by_a_rollup(
    plain_press: Press,
    issues: list[Papers],
    readers: list[Reader],
    changes: Sequence[Change],
) -> None:
    press = plain_press
    empty(press.app.database)
    for number, reader in enumerate(readers):
        press.join(str(number), *reader.topics, cadence=reader.cadence)
    remaining: Iterator[Papers] = iter(issues)
    out: dict[date, Papers] = {}
    rolled: dict[str, set[date]] = {}
    for step, what in enumerate(STEPS):
        for change in changes:
            if change.step == step and change.reader < len(readers):
                press.change(str(change.reader), topics=sorted(change.topics), cadence=change.cadence)
                readers[change.reader].topics, readers[change.reader].cadence = change.topics, change.cadence
        if not isinstance(what, EditionKind):
            papers = out[day(what)] = next(remaining)
            path = press.write(day(what), papers)
            check_issue(press, press.commit(day(what)), papers, readers)
            path.unlink()
        else:
            period = period_of(what, max(out))
            before = rolled.get(period.previous.slug, set())
            days = {at for at in out if at in period or (at in period.previous and at not in before)}
            if not isinstance(commit_rollup(press.app, period, datetime.now(UTC)), str):
                rolled[period.slug] = days
                check_rollup(press, period.slug, what.cadence, [out[at] for at in days], readers)


def check_issue(press: Press, slug: str, papers: Papers, readers: Sequence[Reader]) -> None:
    given = press.given(slug)
    due = {str(number): reader for number, reader in enumerate(readers) if reader.cadence is Cadence.EACH}
    assert set(press.rows(slug)) == set(due)
    for name, reader in due.items():
        wanted = chosen(papers, reader.topics)
        assert (name in given) == bool(wanted)
        assert Counter(given.get(name, [])) == Counter(wanted)
        reader.got.update(wanted)


def check_rollup(
    press: Press, slug: str, cadence: Cadence, issues: Sequence[Papers], readers: Sequence[Reader]
) -> None:
    given = press.given(slug)
    due = {str(number): reader for number, reader in enumerate(readers) if reader.cadence is cadence}
    assert set(press.rows(slug)) == set(due)
    for name, reader in due.items():
        wanted = {number for papers in issues for number in chosen(papers, reader.topics)} - reader.got
        assert (name in given) == bool(wanted)
        assert sorted(given.get(name, [])) == sorted(wanted)
        reader.got.update(wanted)


def chosen(papers: Papers, topics: frozenset[str]) -> list[int]:
    """Return the papers of the sections that a reader chose."""
    by_topic: dict[str, list[int]] = defaultdict(list)
    for title, numbers in papers.items():
        by_topic[topic_key(title)] += numbers
    return [number for topic, numbers in by_topic.items() if not topics or topic in topics for number in numbers]
