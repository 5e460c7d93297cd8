"""What is published can be found, and what isn't can't."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.audience.service import add_subscriber
from newsletter.config import Settings
from newsletter.errors import ChangedError, NewsletterError
from newsletter.indexing import update_index
from newsletter.publishing import publish_issue
from newsletter.store.documents import index_edition
from newsletter.store.editions import find_edition
from newsletter.store.search import search_works

NOW = datetime(2024, 5, 25, tzinfo=UTC)
PAPER = "### [A paper on {topic}](https://arxiv.org/abs/2405.163{day})\n\n**Why?** Because of {topic}.\n"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "issues").mkdir()
    app = App(Settings())
    add_subscriber(app.database, "you@example.org", NOW)
    return app


def write(day: str, topic: str, head: str = "") -> None:
    text = (
        f"---\ntitle: Papers of {day}\ndate: {day}\n{head}---\n\n## News\n\n{PAPER.format(topic=topic, day=day[-2:])}"
    )
    Path(f"issues/{day}.md").write_text(text)


def publish(app: App, day: str, *, correct: bool = False) -> None:
    publish_issue(app, day, correct=correct, another=False, progress=lambda _done, _total: None)


def find(app: App, query: str) -> list[str]:
    with app.database.read() as connection:
        return [f"{hit.slug}#{hit.anchor}" for hit in search_works(connection, query).hits]


def test_what_is_published_is_found_and_a_correction_replaces_it(app: App) -> None:
    with app:
        write("2024-05-25", "zebras")
        assert find(app, "zebras") == []
        publish(app, "2024-05-25")
        assert find(app, "zebras") == ["2024-05-25#arxiv-2405.16325"]
        write("2024-05-25", "giraffes")
        with pytest.raises(ChangedError):
            publish(app, "2024-05-25")
        assert find(app, "giraffes") == []
        publish(app, "2024-05-25", correct=True)
        assert find(app, "zebras") == []
        assert find(app, "giraffes") == ["2024-05-25#arxiv-2405.16325"]
        publish(app, "2024-05-25")
        assert find(app, "giraffes") == ["2024-05-25#arxiv-2405.16325"]
        assert update_index(app).indexed == 0


def test_a_draft_is_not_found(app: App) -> None:
    with app:
        write("2024-05-25", "zebras", "draft: true\n")
        with pytest.raises(NewsletterError, match="draft"):
            publish(app, "2024-05-25")
        assert update_index(app).indexed == 0
        assert find(app, "zebras") == []


def test_an_index_that_is_behind_is_made_again(app: App) -> None:
    with app:
        for day in ("2024-05-25", "2024-05-26"):
            write(day, "zebras")
            publish(app, day)
        with app.database.transaction() as connection:
            index_edition(connection, find_edition(connection, "2024-05-25").id, [], "an older version")
        assert find(app, "zebras") == ["2024-05-26#arxiv-2405.16326"]
        told: list[tuple[int, int]] = []
        assert update_index(app, lambda done, total: told.append((done, total))).indexed == 1
        assert told == [(1, 1)]
        assert len(find(app, "zebras")) == 2


def test_other_labels_make_the_index_anew(app: App) -> None:
    with app:
        write("2024-05-25", "zebras")
        publish(app, "2024-05-25")
        app.settings = Settings.model_validate({"issues": {"labels": ("Because",)}})
        assert update_index(app).indexed == 1
        assert update_index(app).indexed == 0


def test_an_issue_that_cant_be_read_any_more_stops_no_other(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with app:
        for day in ("2024-05-25", "2024-05-26"):
            write(day, "zebras")
            publish(app, day)
        app.settings = Settings.model_validate({"issues": {"labels": ("Because",)}})
        monkeypatch.setattr("newsletter.issues.parse.MAX_BYTES", 10)
        report = update_index(app)
        assert (report.indexed, sorted(report.unreadable)) == (0, ["2024-05-25", "2024-05-26"])
        monkeypatch.undo()
        assert update_index(app).indexed == 2
