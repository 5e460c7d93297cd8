"""What the preview shows, made from an issue file as it is now. Publishes nothing."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from newsletter.app import App
from newsletter.config import DEFAULT_NAME
from newsletter.errors import NewsletterError
from newsletter.issues.folder import show_path
from newsletter.model.edition import PublishedIssue, hide_personal
from newsletter.model.issue import Issue
from newsletter.model.problem import Problem, Severity
from newsletter.publishing import Draft, load_draft
from newsletter.render.archive import render_issue
from newsletter.render.content import compose_card, render_feed_content
from newsletter.render.environment import default_folder
from newsletter.render.frame import render_asset
from newsletter.site import make_frame
from newsletter.web.preview import Application, Views, make_preview


def make_app(app: App, path: Path, config: Path | None, topics: frozenset[str] = frozenset()) -> Application:
    """Return the preview's web application for one issue file; with `topics`, the mail is of their sections alone."""
    folders = [folder for folder in (app.settings.templates.folder, default_folder()) if folder]
    watched = [path, config or Path(DEFAULT_NAME)]

    def stamp() -> object:
        files = [*watched, *(file for folder in folders for file in folder.rglob("*") if file.is_file())]
        return tuple(_modified(file) for file in files)

    return make_preview(show_path(path), lambda: load_views(config, path, topics), stamp, app.environment)


def load_views(config: Path | None, path: Path, topics: frozenset[str] = frozenset()) -> Views:
    """Render everything there is to see of an issue; what can't be rendered is told as a problem."""
    try:
        with App.load(config) as app:
            return _views(app, load_draft(app, str(path), topics), path)
    except NewsletterError as error:
        problem = Problem(str(path), 1, 1, Severity.ERROR, "cannot-render", str(error))
        return Views(path.name, "", "", "", "", "", (problem,), 0)


def _views(app: App, draft: Draft, path: Path) -> Views:
    issue, edition = draft.issue, draft.edition
    if issue is None or edition is None:
        return Views(path.name, "", "", "", "", "", draft.problems, 0)
    frame = make_frame(app.settings, app.environment)
    card = compose_card(issue, _as_if_published(issue))
    return Views(
        title=issue.title,
        mail=hide_personal(edition.html),
        text=hide_personal(edition.text),
        feed=str(render_feed_content(issue, app.settings, app.environment)),
        page=render_issue(frame, issue, card, None, None),
        style=render_asset(frame, "style.css"),
        problems=draft.problems,
        size=len(edition.html.encode()),
    )


def _as_if_published(issue: Issue) -> PublishedIssue:
    now = datetime.now(UTC)
    return PublishedIssue(issue.slug, issue.date, sha256(issue.source.encode()).hexdigest(), now, now)


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
