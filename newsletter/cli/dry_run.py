"""What `publish --dry-run` says: what a publish would do now. Nothing is changed by it."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from newsletter.app import App
from newsletter.cli.sending import format_moment
from newsletter.cli.status import format_audit, format_control
from newsletter.cli.terminal import count, print_json, print_problems, say_line, short
from newsletter.config import Settings
from newsletter.errors import IssueError
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, SlotKey, SlotState
from newsletter.rehearsing import Crowd, Rehearsal, Standing, rehearse_issue
from newsletter.schedule.planning import load_calendar
from newsletter.store.database import read_clock
from newsletter.urls import issue_url

SHOWN = 12
"""How many choices of topics are told apart."""


def run_dry(app: App, name: str, *, another: bool, as_json: bool) -> int:
    """Tell what publishing an issue would do; return the exit code: 1 if its errors would stop it."""
    now = read_clock()
    try:
        found = rehearse_issue(app, name, now, another=another)
    except IssueError as error:
        print_problems(error.problems, "json" if as_json else "text")
        click.echo("newsletter: it wouldn't be published: mend the errors above.", err=True)
        return 1
    if as_json:
        print_json(_summarise(app.settings, found))
    else:
        print_problems(found.problems, "text")
        for label, text in _describe(app.settings, found, now):
            say_line(label, text)
    return 0


def _describe(settings: Settings, found: Rehearsal, now: datetime) -> Iterator[tuple[str, str]]:
    papers = len(list(found.issue.entries))
    yield "issue", f"{found.issue.title} ({count(papers, 'entry', 'entries')}), from {short(found.path)}"
    yield "mail", f"with the subject “{found.edition.subject}”"
    yield "page", issue_url(settings.publication.url, found.edition.slug)
    yield "slot", _describe_slot(settings, found, now)
    if found.standing:
        yield from _describe_standing(found.standing, found.edition.slug, now)
    else:
        yield from _describe_crowd(found)
    yield "mails", f"{count(found.mails, 'mail')} would be sent → {', '.join(_name_ways(settings, found.edition.slug))}"
    for seed in found.missing_seeds:
        yield "", f"{seed} is a seed (delivery.seeds) and no active reader of each issue: it gets no mail"
    yield "", "Nothing was changed. To do it: newsletter publish " + found.edition.slug


def _describe_slot(settings: Settings, found: Rehearsal, now: datetime) -> str:
    slot, zone, plan = found.slot, ZoneInfo(settings.publication.time_zone), _find_plan(settings, found)
    if plan is None:
        return "by hand: [schedule] has no such day"
    moment = f"{plan.due_at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    if slot is None and plan.due_at <= now:
        return f"by hand: its time was {moment}, and nobody has planned it"
    if slot is None or slot.state is SlotState.DUE:
        return f"due by itself at {moment}"
    return f"{slot.state}{f', {slot.why}' if slot.why else ''}; it was due at {moment}"


def _find_plan(settings: Settings, found: Rehearsal) -> Plan | None:
    """Return when it is due by itself: as it was planned, or as it will be."""
    if found.slot:
        return found.slot.plan
    return load_calendar(settings).plan(SlotKey(EditionKind.ISSUE, found.edition.issue_date))


def _describe_standing(standing: Standing, slug: str, now: datetime) -> Iterator[tuple[str, str]]:
    yield "was", f"published {standing.stored.published_at:%Y-%m-%d %H:%M} UTC; it would go on with who is left"
    yield "audit", format_audit(standing.audit)
    if not standing.control.runs:
        yield "", format_control(slug, standing.control)
    if standing.next_try_at:
        yield "", f"{standing.audit.deferred:,} put off, next try {format_moment(standing.next_try_at, now)}"


def _describe_crowd(found: Rehearsal) -> Iterator[tuple[str, str]]:
    crowd = found.crowd
    if not crowd.mailed and not crowd.excluded:
        yield "who", "no reader wants each issue" if any(crowd.later.values()) else "there are no readers yet"
    for topics, number in list(crowd.mailed.items())[:SHOWN]:
        yield "who", f"{number:>9,} {', '.join(topics.split()) or 'everything'}"
    if len(crowd.mailed) > SHOWN:
        yield "", f"{sum(list(crowd.mailed.values())[SHOWN:]):>9,} in {len(crowd.mailed) - SHOWN:,} other choices"
    for reason, number in list(crowd.excluded.items())[:SHOWN]:
        yield "not", f"{number:>9,} {reason}"
    for cadence, number in crowd.later.items():
        if number:
            yield "later", f"{number:>9,} {cadence}, by the roll-up"
    if found.doubted:
        yield "", f"{count(crowd.mails, 'reader')} would be unknown and get no mail: the database was restored"


def _name_ways(settings: Settings, slug: str) -> list[str]:
    """Return where mail goes: the relays, each with its weight where there are several, or the outbox."""
    smtp = settings.smtp
    if not smtp.host:
        return [f"{short(settings.outbox.folder)}/{slug}/"]
    relays = [(smtp.host, smtp.port, smtp.weight), *((each.host, each.port, each.weight) for each in smtp.relays)]
    return [f"{host}:{port}{f' (weight {weight})' if smtp.relays else ''}" for host, port, weight in relays]


def _summarise(settings: Settings, found: Rehearsal) -> dict[str, object]:
    """Return what `_describe` says, for machines."""
    standing, slot, plan = found.standing, found.slot, _find_plan(settings, found)
    return {
        "dry_run": True,
        "slug": found.edition.slug,
        "title": found.issue.title,
        "file": Path(found.path),
        "subject": found.edition.subject,
        "page": issue_url(settings.publication.url, found.edition.slug),
        "problems": [asdict(problem) for problem in found.problems],
        "due_at": plan.due_at if plan else None,
        "slot": {"state": slot.state, "why": slot.why} if slot else None,
        "published_at": standing.stored.published_at if standing else None,
        "control": asdict(standing.control) if standing else None,
        "next_try_at": standing.next_try_at if standing else None,
        "audit": {**asdict(standing.audit), "holds": standing.audit.holds} if standing else None,
        "readers": None if standing else _summarise_crowd(found.crowd),
        "missing_seeds": found.missing_seeds,
        "doubted": found.doubted,
        "mails": found.mails,
        "to": _name_ways(settings, found.edition.slug),
    }


def _summarise_crowd(crowd: Crowd) -> dict[str, object]:
    chosen = [{"topics": topics.split(), "readers": number} for topics, number in crowd.mailed.items()]
    return {"mailed": chosen, "excluded": crowd.excluded, "later": crowd.later}
