"""`newsletter publish`: publish an issue to the site, the feeds and every reader."""

from dataclasses import asdict
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.sending import (
    describe_sending,
    explain_audit,
    find_next_try,
    judge_refusals,
    tell_of_run,
    telling_trouble,
)
from newsletter.cli.site import say_untold
from newsletter.cli.status import format_audit
from newsletter.cli.terminal import count, print_json, print_problems, say_line, short, show_progress
from newsletter.cli.words import parse_name
from newsletter.errors import ChangedError, IssueError, UsageError
from newsletter.publishing import Published, publish_issue

EPILOG = """\b
Examples:
  newsletter publish 2024-05-25
  newsletter publish today
  newsletter publish today --dry-run         say who would get it and where mail would go; nothing is changed
  newsletter publish 2024-05-25 --correct    mend the page and the feeds, mail nobody
"""


@click.command("publish", epilog=EPILOG, short_help="Publish an issue to site, feeds and readers.")
@click.argument("name", metavar="DATE|FILE")
@click.option("--correct", is_flag=True, help="The issue is out and its file has changed: mend site and feeds only.")
@click.option("--another", is_flag=True, help="It is an issue of its own, although one has its date and title.")
@click.option("--dry-run", is_flag=True, help="Say who would get it, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, name: str, correct: bool, another: bool, dry_run: bool, as_json: bool) -> int:
    """Publish an issue to the site, the feeds and every reader.

    Every reader due gets a row in the ledger before the first mail goes out. Running it again mails nobody twice: it
    goes on with whoever is left. An issue with errors is not published. Exit code 1 also when mail is left that nobody
    is sending, or when it is unknown whether it arrived; readers who were put off or refused don't count as failure.
    """
    if dry_run and correct:
        raise UsageError("--dry-run says who would be mailed, and --correct mails nobody: leave one of them out.")
    with App.load(config) as app:
        if dry_run:
            from newsletter.cli.dry_run import run_dry

            return run_dry(app, parse_name(name, app.settings), another=another, as_json=as_json)
        with telling_trouble(app, Path(parse_name(name, app.settings)).stem):
            done = _publish(app, name, as_json, correct=correct, another=another)
        if done is None:
            return 1
        judge_refusals(app, done)
        if as_json:
            print_json(_summarise(app, done))
        else:
            _report(app, done)
        tell_of_run(app, done)
    return 0 if done.complete else 1


def _publish(app: App, name: str, as_json: bool, *, correct: bool, another: bool) -> Published | None:
    """Publish, or show what stands in the way and return None."""
    try:
        with show_progress("Sending") as progress:
            chosen = parse_name(name, app.settings)
            return publish_issue(app, chosen, correct=correct, another=another, progress=progress)
    except IssueError as error:
        print_problems(error.problems, "json" if as_json else "text")
        click.echo("newsletter: not published: mend the errors above, then publish again.", err=True)
        return None
    except ChangedError as error:
        click.echo(error.diff, err=True)
        raise


def _report(app: App, done: Published) -> None:
    """Say what was made and where to look."""
    print_problems(done.problems, "text")
    folder = short(done.site.folder)
    papers, sections = len(list(done.issue.entries)), sum(not each.is_empty for each in done.issue.sections)
    say_line("issue", f"{done.issue.title} ({count(papers, 'entry', 'entries')} in {count(sections, 'section')})")
    say_line("page", short(done.site.page(done.stored.edition.slug)))
    say_line("feeds", f"{folder}/{{{','.join(feed.name for feed in done.site.feeds)}}}")
    say_line("site", f"{count(done.site.written, 'file')} written, {done.site.unchanged:,} unchanged")
    for seed in done.missing_seeds:
        say_line("", f"{seed} is a seed (delivery.seeds) and no active reader of each issue: it gets no mail")
    for path in done.site.left_alone:
        say_line("", f"{short(path)} is yours and was left alone")
    for hub in done.untold:
        say_line("hub", say_untold(hub))
    say_line("mail", _mail(app, done))
    say_line("audit", format_audit(done.audit))
    for line in explain_audit(done.stored.edition.slug, done.audit):
        say_line("", line)


def _mail(app: App, done: Published) -> str:
    if done.tally is None and done.stored.revision > 1:
        return _say_corrected(done)
    if done.tally is None:
        return "there are no readers yet. Add some (newsletter subscribers add ADDRESS) and publish again to mail them"
    if not done.audit.audience:
        return "no reader wants each issue; who reads weekly or monthly gets it then"
    return describe_sending(app, done.stored.edition.slug, done, "publish again")


def _say_corrected(done: Published) -> str:
    waiting = done.audit.open
    if not waiting:
        return f"nobody was mailed; the page and the feeds show revision {done.stored.revision}"
    if done.current:
        return f"nobody was mailed yet; publish again, and the {waiting:,} who wait get it as it is now"
    return f"nobody was mailed; the {waiting:,} who still wait will get the mail as it was first published"


def _summarise(app: App, done: Published) -> dict[str, object]:
    """Return what `_report` says, for machines."""
    stored, site = done.stored, done.site
    return {
        "slug": stored.edition.slug,
        "title": done.issue.title,
        "revision": stored.revision,
        "published_at": stored.published_at,
        "problems": [asdict(problem) for problem in done.problems],
        "site": {
            "folder": site.folder,
            "page": site.page(stored.edition.slug),
            "feeds": [str(feed) for feed in site.feeds],
            "written": site.written,
            "unchanged": site.unchanged,
            "removed": site.removed,
            "untold": [asdict(hub) for hub in done.untold],
        },
        "mail": asdict(done.tally) if done.tally else None,
        "next_try_at": find_next_try(app, done),
        "audit": {**asdict(done.audit), "holds": done.audit.holds},
    }
