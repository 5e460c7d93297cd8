"""`newsletter subscribers show | set | erase | export-one`: what is kept of one reader, and what he asks for."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from newsletter.app import App
from newsletter.audience.policy_joining import check_language
from newsletter.audience.policy_preferences import Choices, choices_of
from newsletter.audience.preferences import change_preferences
from newsletter.audience.privacy import erase_reader, export_reader
from newsletter.audience.service import BY_HAND, find_subscriber
from newsletter.cli.files import open_private
from newsletter.cli.terminal import ask_first, count, print_json, short
from newsletter.cli.words import parse_day
from newsletter.errors import NotFoundError, UsageError
from newsletter.model.bounce import spell_answer
from newsletter.model.subscriber import Cadence, Subscriber
from newsletter.model.topic import topic_key

SHOWN = 10
"""Mails that `show` lists; `--mails` lists more."""

Json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command("show", epilog="\b\nExamples:\n  newsletter subscribers show you@example.org")
@click.argument("address", metavar="ADDRESS")
@click.option("--mails", type=click.IntRange(0), default=SHOWN, help=f"How many mails to list (default {SHOWN}).")
@Json
@click.pass_obj
def show(config: Path | None, address: str, mails: int, as_json: bool) -> int:
    """Show a reader: his state and choices, what he agreed to and when, the last mails due, and what came back."""
    with App.load(config) as app:
        reader = _find(app, address)
        kept = export_reader(app.database, reader.id, mails)
    if kept is None:
        raise NotFoundError(f"{address} is no reader any more.")
    if as_json:
        print_json(kept)
    else:
        click.echo("\n".join(_describe(reader, kept)))
    return 0


@click.command(
    "set",
    epilog="\b\nExamples:\n"
    "  newsletter subscribers set you@example.org --topic 'LLM agents' --topic Benchmarks --cadence weekly\n"
    "  newsletter subscribers set you@example.org --pause-until 2024-09-01\n"
    "  newsletter subscribers set you@example.org --everything --no-pause",
)
@click.argument("address", metavar="ADDRESS")
@click.option("--topic", "topics", multiple=True, metavar="SECTION", help="Only this section; may be given again.")
@click.option("--everything", is_flag=True, help="All sections.")
@click.option("--cadence", type=click.Choice([cadence.value for cadence in Cadence]), help="How often mail comes.")
@click.option("--language", help="The language of letters (RFC 5646), such as de.")
@click.option("--name", help="The reader's name, shown in the mail's To.")
@click.option("--pause-until", metavar="DATE", help="No mail before this day.")
@click.option("--no-pause", is_flag=True, help="End a pause.")
@Json
@click.pass_obj
def change(config: Path | None, /, address: str, as_json: bool, **options: Any) -> int:
    """Change what a reader chose, because he asked you to. What isn't named stays as it is."""
    now = datetime.now(UTC)
    with App.load(config) as app:
        reader = _find(app, address)
        choices = _choose(app, choices_of(reader), **options)
        change = change_preferences(app.database, app.reception.offer, reader.id, choices, BY_HAND, now)
    if change is None:
        raise NotFoundError(f"{address} has left, so there is nothing to choose.")
    if change.problems:
        raise UsageError(" ".join(problem.message for problem in change.problems))
    if as_json:
        print_json({"changed": change.changed, "subscriber": _plain_reader(change.subscriber)})
    else:
        told = "now" if change.changed else "as before"
        click.echo(f"{change.subscriber.address}, {told}: {'; '.join(_describe_choices(change.subscriber))}.")
    return 0


@click.command("erase", epilog="\b\nExample:\n  newsletter subscribers erase you@example.org")
@click.argument("address", metavar="ADDRESS")
@click.option("--yes", is_flag=True, help="Don't ask.")
@Json
@click.pass_obj
def erase(config: Path | None, address: str, yes: bool, as_json: bool) -> int:
    """Take out everything that says who a reader was. It can't be undone.

    The address stays out of later imports, known by its digest alone, and every issue's count holds. Backups of the
    database, the outbox and the relay's logs are yours to clear.
    """
    with App.load(config) as app:
        reader = _find(app, address)
        if not yes:
            ask_first(f"Erase {reader.address}? This can't be undone.", "Who is erased can't be brought back")
        erasure = erase_reader(app.database, reader.id, BY_HAND, datetime.now(UTC))
    cancelled = erasure.cancelled if erasure else 0
    if as_json:
        print_json({"erased": erasure is not None, "cancelled": cancelled})
    else:
        mails = f"; {count(cancelled, 'waiting mail')} cancelled" if cancelled else ""
        click.echo(f"{address} is erased{mails}.")
    return 0


@click.command("export-one", epilog="\b\nExample:\n  newsletter subscribers export-one you@example.org you.json")
@click.argument("address", metavar="ADDRESS")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), required=False, metavar="[FILE]")
@click.pass_obj
def export(config: Path | None, address: str, path: Path | None) -> int:
    """Write all that is kept of a reader as JSON, for him: his record, his choices, each mail and what became of it."""
    with App.load(config) as app:
        kept = export_reader(app.look(), _find(app, address).id)
    if path is None:
        print_json(kept)
        return 0
    with open_private(path) as file:
        json.dump(kept, file, ensure_ascii=False, indent=2)
        file.write("\n")
    click.echo(f"{short(path)} holds all that is kept of {address}.", err=True)
    return 0


def _find(app: App, address: str) -> Subscriber:
    reader = find_subscriber(app.look(), address)
    if reader is None:
        raise NotFoundError(f"{address} is no reader. `newsletter subscribers list` names who is.")
    return reader


def _choose(
    app: App,
    before: Choices,
    *,
    topics: tuple[str, ...],
    everything: bool,
    cadence: str | None,
    language: str | None,
    name: str | None,
    pause_until: str | None,
    no_pause: bool,
) -> Choices:
    """Return the choices that the options leave."""
    if topics and everything:
        raise UsageError("Say --topic or --everything, not both.")
    if pause_until and no_pause:
        raise UsageError("Say --pause-until or --no-pause, not both.")
    if cadence and cadence not in (before.cadence, *app.reception.offer.cadences):
        raise UsageError(f"No {cadence} mail is sent. Give it a time in [rollups], or name it there in by_hand.")
    if language and list(check_language(language, app.reception.offer)):
        raise UsageError(
            f"{language!r} is no language of letters. They are {', '.join(app.reception.offer.languages)}."
        )
    paused_until = _parse_pause(app, pause_until) if pause_until else before.paused_until
    return Choices(
        topics=frozenset(_parse_topic(app, topic) for topic in topics)
        if topics
        else frozenset[str]()
        if everything
        else before.topics,
        cadence=Cadence(cadence) if cadence else before.cadence,
        language=before.language if language is None else language,
        paused_until=None if no_pause else paused_until,
        name=before.name if name is None else name,
    )


def _parse_topic(app: App, text: str) -> str:
    offered = app.reception.offer.topics
    key = text if text in offered else topic_key(text)
    if key not in offered:
        known = ", ".join(offered.values()) or "none: name them in [issues] sections"
        raise UsageError(f"{text!r} is no section. The sections are {known}.")
    return key


def _parse_pause(app: App, text: str) -> datetime:
    """Return the first moment of a day, where the publication is."""
    zone = ZoneInfo(app.settings.publication.time_zone)
    until = datetime.combine(parse_day(text, app.settings), time.min, zone).astimezone(UTC)
    if until <= datetime.now(UTC) - timedelta(days=1):
        raise UsageError(f"{text} is over. Name a day to come, or say --no-pause.")
    return until


def _describe(reader: Subscriber, kept: dict[str, Any]) -> Iterator[str]:
    since = reader.left_at or reader.joined_at
    name = f" ({reader.name})" if reader.name else ""
    yield f"{reader.address}{name}: {reader.state} since {since:%Y-%m-%d}, source: {reader.source or 'not known'}"
    if kept["kept_out"]:
        yield f"stays out: {kept['kept_out']}"
    yield from _describe_choices(reader)
    yield "\nRecord:"
    for line in kept["consents"]:
        origin = line["origin"]
        words = (line["detail"], f"from {origin['client']}" if origin["client"] else "", origin["wording"])
        yield f"  {line['at'][:16]}  {line['event']:<10} {origin['source']}  {'  '.join(filter(None, words))}".rstrip()
    yield "\nLast mails:"
    for row in kept["deliveries"]:
        yield f"  {row['queued_at'][:16]}  {row['state']:<10} {row['slug']}  {_describe_reply(row)}".rstrip()
    if kept["bounces"]:
        yield "\nCame back:"
        yield from map(_describe_bounce, kept["bounces"][-SHOWN:])


def _describe_bounce(row: dict[str, Any]) -> str:
    undone = ", undone" if row["undone_at"] else ""
    why = f"{row['reason'].replace('_', ' ')} ({row['severity']}{undone})"
    said = spell_answer(row["code"], row["status"], row["diagnostic"])
    return f"  {row['at'][:16]}  {row['verdict']:<10} {why}  {said[:120]}".rstrip()


def _describe_choices(reader: Subscriber) -> Iterator[str]:
    yield f"topics: {', '.join(sorted(reader.topics)) or 'everything'}"
    yield f"cadence: {reader.cadence}"
    if reader.language:
        yield f"language: {reader.language}"
    if reader.paused_until:
        yield f"paused until {reader.paused_until:%Y-%m-%d %H:%M} UTC"


def _describe_reply(row: dict[str, Any]) -> str:
    return " ".join(str(part) for part in (row["reply_code"], row["reply_enhanced"], row["reply_text"]) if part)


def _plain_reader(reader: Subscriber) -> dict[str, object]:
    return {
        "address": reader.address,
        "name": reader.name,
        "state": reader.state,
        "topics": sorted(reader.topics),
        "cadence": reader.cadence,
        "language": reader.language,
        "paused_until": reader.paused_until,
    }
