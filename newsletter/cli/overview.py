"""What `status` shows first: what comes next, what is under way, and what needs a human."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from newsletter.app import App
from newsletter.config import load_publications
from newsletter.model.rates import Rates
from newsletter.model.slot import Plan, Slot, SlotState
from newsletter.watching import Moving, Need, Overview, load_overview

BAR = 30
REFRESH = 1.0
REASONS = 4
"""How many reasons are told of a domain."""

_COLOURS = {
    SlotState.DUE: "cyan",
    SlotState.HELD: "yellow",
    SlotState.PUBLISHED: "green",
    SlotState.SKIPPED: "white",
    SlotState.MISSED: "red",
}


@contextmanager
def open_publications(config: Path | None) -> Iterator[list[App]]:
    """Open every publication of a config, and close it at the end. Raises ConfigError."""
    with ExitStack() as apps:
        yield [apps.enter_context(App(settings)) for settings in load_publications(config)]


def load_overviews(apps: Sequence[App], *, with_rates: bool = True) -> list[Overview]:
    """Return what there is to see of each publication now. Raises StoreError."""
    return [load_overview(app.settings, app.database, datetime.now(UTC), with_rates=with_rates) for app in apps]


def print_overview(view: Overview, *, named: bool) -> None:
    """Print it, where there is anything to say; `named`: its name in any case, for it is one of several."""
    lines = list(_describe(view))
    if lines or named:
        click.echo(click.style(view.publication, bold=True))
        click.echo("\n".join([*lines, ""] if lines else lines), nl=bool(lines))


def watch_overviews(apps: Sequence[App]) -> int:
    """Draw them on the terminal again and again, until Ctrl-C."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(), auto_refresh=False, screen=True) as live:
        try:
            while True:
                live.update(Text.from_ansi(_draw(load_overviews(apps, with_rates=False))), refresh=True)
                time.sleep(REFRESH)
        except KeyboardInterrupt:  # the way it is meant to end
            return 0


def _draw(views: Sequence[Overview]) -> str:
    parts = []
    for view in views:
        recent = [
            f"  {line.slug:<12} sent {audit.sent:>9,} of {audit.audience:>9,}   deferred {audit.deferred:,}, "
            f"failed {audit.failed:,}, unknown {audit.unknown:,}"
            for line, audit in view.recent
        ]
        clock = view.now.astimezone(ZoneInfo(view.time_zone))
        head = f"{click.style(view.publication, bold=True)}   {clock:%Y-%m-%d %H:%M:%S %Z}"
        parts.append("\n".join([head, *_describe(view), "", *recent]))
    return "\n\n".join(parts)


def _describe(view: Overview) -> Iterator[str]:
    zone = ZoneInfo(view.time_zone)
    for plan in view.coming:
        yield _label("next", f"{plan.key} at {_moment(plan, zone)}, in {format_span(plan.due_at - view.now)}")
    for slot in view.slots:
        if slot.due_at <= view.now or slot.state is not SlotState.DUE:
            yield _label("slot", _describe_slot(slot))
    for moving in view.moving:
        yield _label("under way", _describe_moving(moving))
    if view.rates and view.rates.total.reasons:
        yield from _describe_rates(view.rates)
    for need in view.needs:
        yield from _describe_need(need)


def _describe_slot(slot: Slot) -> str:
    state = click.style(str(slot.state), fg=_COLOURS[slot.state])
    return f"{slot.key}  {state}{f', {slot.why}' if slot.why else ''}"


def _describe_moving(moving: Moving) -> str:
    audit = moving.audit
    done = audit.audience - audit.open
    share = done / audit.audience if audit.audience else 0.0
    filled = round(share * BAR)
    bar = click.style("━" * filled, fg="green") + click.style("━" * (BAR - filled), dim=True)
    text = f"{moving.edition.slug}  {bar} {done:,} of {audit.audience:,}"
    if not moving.edition.control.runs:
        return f"{text}, {click.style(str(moving.edition.control.state), fg='yellow')}"
    if moving.rate >= 0.1 and audit.queued:
        left = timedelta(seconds=audit.queued / moving.rate)
        return f"{text}, {moving.rate:,.1f}/s, {format_span(left)} left"
    return f"{text}, {audit.deferred:,} put off" if audit.deferred and not audit.queued else text


def _describe_need(need: Need) -> Iterator[str]:
    first, *rest = need.what.splitlines()
    yield _label("needs you", click.style(first, fg="yellow", bold=True))
    let_be = f", or let it be: {need.let_be}" if need.let_be else ""
    for line in (*rest, f"→ {need.way_out}{let_be}"):
        yield _label("", f"  {line}")


def _describe_rates(rates: Rates) -> Iterator[str]:
    total = rates.total
    parts = f"hard {total.hard:,}, soft {total.soft:,}, complaints {total.complaints:,} ({total.complained:.2%})"
    yield _label("came back", f"{total.bounced:.2%} of {total.mails:,} mails in seven days: {parts}")
    for rate in rates.domains:
        if rate.reasons:
            said = ", ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in list(rate.reasons.items())[:REASONS])
            yield _label("", f"  {rate.domain or 'all others'}: {rate.bounced:.2%} of {rate.mails:,}; {said}")


def format_span(span: timedelta) -> str:
    """Return a span as people say it: `3 d 4 h`, `2 h 05 min`, `12 s`."""
    seconds = max(0, round(span.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def _moment(plan: Plan, zone: ZoneInfo) -> str:
    return f"{plan.due_at.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _label(label: str, text: str) -> str:
    return f"  {click.style(f'{label:<10}', dim=True)} {text}"
