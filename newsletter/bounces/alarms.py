"""What the editor must hear at once: complaints above what mailbox providers bear, and servers that blame us.

Each is told once a week or a day: a notice's key holds the period. Google and Yahoo want complaints below 0.1 %, and
bar who reaches 0.3 % (their guidelines for bulk senders, 2024).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from newsletter import config
from newsletter.bounces.intake import Desk
from newsletter.model.bounce import BLAMES_US, Reason
from newsletter.model.notice import NewNotice
from newsletter.model.rates import SPAN, find_reached
from newsletter.store.notices import write_notice
from newsletter.store.rates import count_complaints, count_reasons

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What to tell; `key` names what it is about and the period."""

    key: str
    subject: str
    text: str


def judge_complaints(complaints: int, sent: int, now: datetime) -> Alarm | None:
    """Return what a week's complaints are worth telling."""
    reached = find_reached(complaints, sent)
    if reached is None:
        return None
    share = complaints / sent
    year, week, _ = now.isocalendar()
    return Alarm(
        f"complaints {reached} {year}-W{week:02}",
        f"Complaints have reached {share:.2%}",
        f"{complaints:,} readers of {sent:,} mails called them spam in the last seven days, which is {share:.2%}.\n\n"
        "Mailbox providers want less than 0.1 %, and bar senders who reach 0.3 %. Who complained gets no more mail.\n"
        "Look at what was sent, and where these readers came from: newsletter bounces list --reason complaint\n",
    )


def judge_blame(reasons: Mapping[Reason, int], rules: config.Bounces, now: datetime) -> list[Alarm]:
    """Return which reasons that lie with us came up too often in a day."""
    return [
        Alarm(
            f"blame {reason} {now.astimezone(UTC).date()}",
            f"{count:,} servers refused our mail: {reason.replace('_', ' ')}",
            f"In the last 24 hours {count:,} mails came back for a reason that lies with us or our mail: "
            f"{reason.replace('_', ' ')}. No reader is blamed for it.\n\n"
            f"What the servers said: newsletter bounces list --reason {reason} --days 1\n",
        )
        for reason, count in reasons.items()
        if reason in BLAMES_US and count >= rules.blame_alert
    ]


def raise_alarms(desk: Desk, editors: Sequence[str], language: str, config_file: Path | None = None) -> int:
    """Write to the editors what they must hear, each once for its period; return how many notices are new."""
    now = desk.clock()
    with desk.database.read() as connection:
        complaints, sent = count_complaints(connection, now - SPAN)
        reasons = count_reasons(connection, now - _DAY)
    alarms = [*filter(None, [judge_complaints(complaints, sent, now)]), *judge_blame(reasons, desk.rules, now)]
    if not (alarms and editors):
        return 0
    with desk.database.transaction() as connection:
        notices = [_write(alarm, editor, language, now, config_file) for alarm in alarms for editor in editors]
        return sum(write_notice(connection, notice, now) for notice in notices)


def _write(alarm: Alarm, editor: str, language: str, now: datetime, config_file: Path | None) -> NewNotice:
    return NewNotice(
        kind="alarm",
        address=editor,
        subject=alarm.subject,
        text=config.name_config(alarm.text, config_file),
        language=language,
        expires_at=now + SPAN,
        key=f"{alarm.key} {editor}",
    )
