"""What an import says of itself, to people and to machines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from newsletter.audience.archive import Lists
from newsletter.audience.service import COUNTS, ImportReport
from newsletter.cli.terminal import count, short

SHOWN = 20
"""Bad rows that are printed; --rejects keeps all of them."""

NAMED = 5
"""Files of an archive that are named."""

Reports = Sequence[tuple[str, ImportReport]]
"""The lists that were imported: each one's name, and what became of it."""


def summarise_import(reports: Reports, lists: Lists, *, dry_run: bool) -> dict[str, object]:
    """Return everything as one document: the sums, and of an archive each of its lists."""
    parts = [report for _, report in reports]
    standings: Counter[str] = sum((Counter(report.standings) for report in parts), Counter())
    whole: dict[str, object] = {
        "dry_run": dry_run,
        "service": parts[0].service,
        **{name: sum(getattr(report, name) for report in parts) for name in COUNTS},
        "standings": dict(standings),
        "bad_total": sum(report.bad_total for report in parts),
    }
    if len(parts) == 1:
        return {**whole, "bad": list(map(asdict, parts[0].bad)), "ignored": parts[0].ignored} | _left_alone(lists)
    return {**whole, "lists": [{"name": name, **asdict(report)} for name, report in reports]} | _left_alone(lists)


def print_import(path: Path, reports: Reports, lists: Lists, rejects: Path | None, *, dry_run: bool) -> None:
    """Say what became of each list, or would."""
    for name, report in reports:
        place = short(path) if len(reports) == 1 else f"{short(path)}/{name}"
        _print_bad(place, report, rejects)
        _print_report(place, report, rejects, dry_run=dry_run)
    if lists.left_alone:
        more = f" and {len(lists.left_alone) - NAMED:,} more" if len(lists.left_alone) > NAMED else ""
        click.echo(f"Left alone in the archive: {', '.join(lists.left_alone[:NAMED])}{more}", err=True)
    if dry_run:
        click.echo("Nothing was written.")


def _left_alone(lists: Lists) -> dict[str, object]:
    return {"left_alone": lists.left_alone} if lists.left_alone else {}


def _print_bad(place: str, report: ImportReport, rejects: Path | None) -> None:
    for bad in report.bad[:SHOWN]:
        click.echo(f"{place}:{bad.line}: {bad.reason}", err=True)
    if report.bad_total > SHOWN and rejects is None:
        click.echo(f"… and {report.bad_total - SHOWN:,} more; --rejects FILE keeps them all.", err=True)


def _print_report(place: str, report: ImportReport, rejects: Path | None, *, dry_run: bool) -> None:
    if report.ignored:
        kept = "would not be kept" if dry_run else "were not kept"
        click.echo(f"Columns that {kept}: {', '.join(report.ignored)}", err=True)
    states = ", ".join(f"{number:,} {standing}" for standing, number in report.standings.items()) or "nobody"
    click.echo(f"{place} is from {report.service}: {states}.")
    if report.ended:
        ends = "would read" if dry_run else "read"
        click.echo(
            f"{count(report.ended, 'reader')} here {ends} no more: by this list they left, bounced or complained."
        )
    where = f", kept in {short(rejects)}" if rejects and report.bad_total else ""
    added = f"{report.added:,} would be added" if dry_run else f"{report.added:,} added"
    out = f"{report.suppressed + report.kept_out:,} stay out"
    if report.kept_out:
        out += f" ({report.kept_out:,} by what this list says, {report.suppressed:,} by what is known here)"
    click.echo(f"{added}, {report.known:,} known already, {out}, {count(report.bad_total, 'bad row')}{where}.")
