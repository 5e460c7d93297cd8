"""People's mail among what comes back: handed to the editor, so much of it a day; the rest waits for him here."""

from datetime import datetime, timedelta

from newsletter.bounces.letters import Letters
from newsletter.model.bounce import Report
from newsletter.store.bounces import count_forwarded, keep_report
from newsletter.store.database import Connection
from newsletter.store.notices import write_notice

FORWARDED_MOST = 100
"""Mails that are forwarded in 24 hours: anybody can write to an address that is in every mail."""

_DAY = timedelta(days=1)


def forward_reply(
    connection: Connection, letters: Letters, raw: bytes, report: Report, number: int, now: datetime, room: int
) -> str:
    """Hand a person's reply to the editor; return what is done about it: `forwarded`, `kept` or `read`.

    Beyond the day's limit it is kept for him, if there is `room`, and one letter a day tells him so.
    """
    letter = letters.forward(raw, report, now)
    if letter is None:
        return "read"
    if count_forwarded(connection, now - _DAY) >= FORWARDED_MOST:
        write_notice(connection, letters.tell_limit(FORWARDED_MOST, now), now)
        if room <= 0:
            return "read"
        keep_report(connection, number, "kept", raw)
        return "kept"
    if not write_notice(connection, letter, now):
        return "read"
    keep_report(connection, number, "forwarded")
    return "forwarded"
