"""How much of what was sent came back: by domain and by reason.

Owns what is set against what: what came back since a time, against the mails of the editions published since then that
servers accepted or refused for good. Every function works inside the caller's transaction, and only reads.

**Limits.** It looks at every delivery of these editions, which takes SQLite about a second for a million. What comes
back late counts for the time it came in.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from newsletter.model.bounce import Reason, Severity
from newsletter.model.rates import Rate, Rates
from newsletter.model.verdict import Verdict
from newsletter.store.schema import bounces, deliveries, editions

TOP_DOMAINS: Final = 10
"""How many domains are told apart: few providers have most readers, and strangers choose the names of the rest."""

OTHERS: Final = ""
"""Stands for all domains that aren't told apart."""


def load_rates(connection: Connection, since: datetime, limit: int = TOP_DOMAINS) -> Rates:
    """Return what came back since a time: in all, of the `limit` domains with most of it, and of all others."""
    returns = _load_returns(connection, since)
    busiest: Counter[str] = Counter()
    for one in returns:
        busiest[one.domain] += one.number
    named = sorted(busiest, key=lambda domain: (-busiest[domain], domain))[:limit]
    mails = _count_mails(connection, since, named)
    rates = [
        _make_rate(domain, mails.get(domain, 0), [one for one in returns if one.domain == domain]) for domain in named
    ]
    rest = _make_rate(OTHERS, mails.get(OTHERS, 0), [one for one in returns if one.domain not in named])
    if rest.mails or rest.reasons:
        rates.append(rest)
    return Rates(since, _make_rate(OTHERS, sum(mails.values()), returns), tuple(rates))


def count_reasons(connection: Connection, since: datetime) -> dict[Reason, int]:
    """Return how many bounces came for each reason, most first."""
    statement = select(bounces.c.reason, func.count()).where(bounces.c.at >= since).group_by(bounces.c.reason)
    rows = connection.execute(statement.order_by(func.count().desc(), bounces.c.reason))
    return {Reason(reason): count for reason, count in rows}


def count_complaints(connection: Connection, since: datetime) -> tuple[int, int]:
    """Return how many readers complained, and how many mails of what was published since were sent."""
    complaint = and_(bounces.c.at >= since, bounces.c.verdict == Verdict.COMPLAINT)
    readers = func.count(bounces.c.subscriber_id.distinct())
    complaints = connection.execute(select(readers).where(complaint)).scalar_one()
    sent = and_(_is_fresh(since), deliveries.c.state == "sent")
    return int(complaints), int(connection.execute(select(func.count()).where(sent)).scalar_one())


class _Returns(NamedTuple):
    """How many mails to a domain came back for a reason, with a severity, and called spam or not."""

    domain: str
    reason: str
    severity: str
    complained: int
    number: int


def _load_returns(connection: Connection, since: datetime) -> list[_Returns]:
    complained = case((bounces.c.verdict == Verdict.COMPLAINT, 1), else_=0).label("complained")
    columns = (bounces.c.domain, bounces.c.reason, bounces.c.severity)
    statement = select(*columns, complained, func.count()).where(bounces.c.at >= since)
    rows = connection.execute(statement.group_by(*columns, "complained"))
    return [_Returns(*row) for row in rows]


def _count_mails(connection: Connection, since: datetime, named: Sequence[str]) -> dict[str, int]:
    """Return how many mails the servers of some domains decided on, and of all others together."""
    domain = _domain_of(connection.dialect.name)
    shown = case((domain.in_(named), domain), else_=OTHERS) if named else func.coalesce(None, OTHERS)
    decided = and_(_is_fresh(since), deliveries.c.state.in_(["sent", "failed"]))
    grouped = select(shown.label("shown"), func.count()).where(decided).group_by("shown")
    mails: dict[str, int] = dict(connection.execute(grouped).all())
    return mails


def _is_fresh(since: datetime) -> ColumnElement[bool]:
    fresh = select(editions.c.id).where(editions.c.published_at >= since).scalar_subquery()
    return deliveries.c.edition_id.in_(fresh)


def _domain_of(dialect: str) -> ColumnElement[Any]:
    address = deliveries.c.address
    if dialect == "postgresql":
        return func.lower(func.substring(address, "[^@]*$"))
    return func.lower(func.substr(address, func.instr(address, "@") + 1))


def _make_rate(domain: str, mails: int, returns: Iterable[_Returns]) -> Rate:
    reasons: Counter[Reason] = Counter()
    severities: Counter[str] = Counter()
    complaints = 0
    for one in returns:
        reasons[Reason(one.reason)] += one.number
        severities[one.severity] += one.number
        complaints += one.number if one.complained else 0
    ordered = dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
    return Rate(domain, mails, severities[Severity.HARD], severities[Severity.SOFT], complaints, ordered)
