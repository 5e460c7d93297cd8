"""Who counts as one when limits are kept, and whether a form was filled in by a person. Pure.

Owns the keys of buckets, which name nobody: an address or a client is in them only as a keyed digest.
"""

import hmac
import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter.config import Joining
from newsletter.mail.token import Purpose, make_token, read_token
from newsletter.model.throttle import Limit

_IPV6_NETWORK = 64
"""Leading bits that one customer has to himself."""

_CLIENT_LENGTH = 100
_SKEW = timedelta(seconds=5)
"""How far a form's time may be ahead: of two machines that serve it, one may be a little slow."""


class FormVerdict(StrEnum):
    """What the time that a form was out says about who sent it."""

    FINE = "fine"
    TOO_SOON = "too soon"
    STALE = "stale"
    FORGED = "forged"


def make_form_stamp(key: bytes, now: datetime) -> str:
    """Return what a form carries to say when it was given out."""
    return make_token(key, Purpose.FORM, int(now.timestamp()), 0)


def judge_form_stamp(keys: Sequence[bytes], stamp: str, now: datetime, rules: Joining) -> FormVerdict:
    """Judge a form by its stamp: nobody can make one, nor fill in a form faster than he can read it."""
    token = read_token(keys, Purpose.FORM, stamp)
    if token is None:
        return FormVerdict.FORGED
    age = timedelta(seconds=now.timestamp() - token.subscriber_id)
    if age < -_SKEW:
        return FormVerdict.FORGED
    if age > timedelta(hours=rules.form_hours):
        return FormVerdict.STALE
    return FormVerdict.TOO_SOON if age < timedelta(seconds=rules.min_seconds) else FormVerdict.FINE


def limit_client(rules: Joining) -> Limit:
    """Return how often one client may ask."""
    return Limit(timedelta(hours=1) / rules.per_client_per_hour, rules.per_client_burst)


def limit_all(rules: Joining) -> Limit | None:
    """Return how often all clients together may ask, if that is limited; a sixth of an hour's share at once."""
    return Limit(timedelta(hours=1) / rules.per_hour, max(1, rules.per_hour // 6)) if rules.per_hour else None


def limit_address(rules: Joining) -> Limit:
    """Return how often an address may be written to."""
    return Limit(timedelta(minutes=rules.cooling_minutes), 1)


def limit_address_weekly(rules: Joining) -> Limit:
    """Return how often an address may be written to in the long run."""
    return _at_most(rules.per_address_per_week, timedelta(weeks=1))


def limit_moves(rules: Joining) -> Limit:
    """Return how often a reader may ask to change his address."""
    return _at_most(rules.moves_per_day, timedelta(days=1))


def _at_most(count: int, period: timedelta) -> Limit:
    """Return a limit that lets through no more than `count` in any stretch of time of that length; about half at once.

    In a stretch a bucket gives its burst, and one for each whole interval that lies within.
    """
    burst = (count + 1) // 2
    return Limit(period / (count - burst + 1), burst)


def compose_limit_key(key: bytes, kind: str, value: str) -> str:
    """Return a bucket's key: whoever reads the table learns neither addresses nor clients."""
    return f"{kind}:{hmac.new(key, f'limit {kind} {value}'.encode(), 'sha256').hexdigest()[:32]}"


def group_client(client: str) -> str:
    """Return what counts as one client: an IPv4 address, an IPv6 network of 64 bits, else the text itself."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client[:_CLIENT_LENGTH].encode("utf-8", "replace").decode()
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
