"""Whom a report is about, by what we signed: return address, Message-ID, unsubscribe links.

Owns where a signed name may stand and in which order places are believed. Refuses everything else: an address in a
report names nobody, and neither does a token that one of our keys didn't sign for its purpose.

The return address comes first, since a relay puts it there. What stands in a returned or quoted mail comes last: a
reader who forwards a newsletter passes on the links in it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from newsletter.mail.reports.fields import NO_FIELDS, Fields
from newsletter.mail.reports.requests import find_request_token
from newsletter.mail.token import Purpose, Token, read_token
from newsletter.mail.verp import read_envelope_sender, read_notice_sender
from newsletter.model.bounce import Named, NamedBy
from newsletter.model.edition import TOKEN_WIDTH

_ARRIVAL_FIELDS = frozenset(
    {
        "delivered-to",
        "x-original-to",
        "envelope-to",
        "x-envelope-to",
        "x-delivered-to",
        "x-rcpt-to",
        "x-real-to",
        "x-forwarded-to",
        "to",
        "cc",
        "apparently-to",
        "resent-to",
    }
)
_REFERENCE_FIELDS = ("in-reply-to", "references", "message-id", "x-original-message-id", "original-message-id")
_RECEIVED_FOR = re.compile(r"\bfor\s+<?([^\s<>;]{3,320})>?", re.IGNORECASE)
_RETURN_ADDRESS = re.compile(
    rf"[bn](?:\+|=2b|=2B|%2b|%2B)[A-Za-z2-7]{{{TOKEN_WIDTH}}}@[A-Za-z0-9.-]{{1,255}}", re.IGNORECASE
)
_TOKEN = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z2-7]{{{TOKEN_WIDTH}}}(?![A-Za-z0-9])")
_MAX_TRIED = 20


@dataclass(frozen=True, slots=True)
class Ours:
    """What is ours in a mail: the keys that sign names, and the addresses mail comes back to.

    `bounce_domain` is where return addresses live (`mail.verp`), in ASCII; `unsubscribe_address` is the one in
    List-Unsubscribe.
    """

    keys: Sequence[bytes]
    bounce_domain: str
    unsubscribe_address: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where names may stand in one mail: its head, what came with the envelope, and what it gives back."""

    fields: Fields
    envelope_to: str = ""
    statuses: str = ""
    said: str = ""
    returned: Fields = NO_FIELDS
    returned_text: str = ""


_READERS = (Purpose.BOUNCE, Purpose.MESSAGE, Purpose.UNSUBSCRIBE, Purpose.PREFERENCES)
"""What a reader's token may have been made for; those for anything else hold other numbers than readers'."""

_Signed = tuple[Purpose, Token]


def find_names(places: Places, ours: Ours) -> tuple[tuple[Named, ...], int]:
    """Return the readers that signed names in the most trusted place tell, each once, or the notice's number (0: none).

    Places after the first that names anybody aren't asked. Where one names a notice, the readers in it are those that
    links in the notice are about: it may have gone to another address than theirs.
    """
    for by, find in _PLACES:
        found = dict.fromkeys(find(places, ours))
        notice = next((token.subscriber_id for purpose, token in found if purpose is Purpose.NOTICE), 0)
        if found:
            readers = dict.fromkeys(token for _, token in found)
            names = tuple(Named(token.subscriber_id, token.edition_id, by) for token in readers)
            return (() if notice else names), notice
    return (), 0


def _find_arrived(places: Places, ours: Ours) -> Iterator[_Signed]:
    return _read_return_addresses([places.envelope_to, *find_arrivals(places.fields)], ours)


def _find_requested(places: Places, ours: Ours) -> Iterator[_Signed]:
    token = read_token(ours.keys, Purpose.UNSUBSCRIBE, find_request_token(places.fields))
    return iter([(Purpose.UNSUBSCRIBE, token)] if token else [])


def _find_given_back(places: Places, ours: Ours) -> Iterator[_Signed]:
    return _read_any([places.statuses], ours, (Purpose.BOUNCE, Purpose.MESSAGE, Purpose.NOTICE))


def _find_referred_to(places: Places, ours: Ours) -> Iterator[_Signed]:
    identifiers = [*places.fields.all(*_REFERENCE_FIELDS), *places.returned.all("message-id")]
    return _read_any(identifiers, ours, (Purpose.MESSAGE, Purpose.NOTICE))


def _find_returned(places: Places, ours: Ours) -> Iterator[_Signed]:
    texts = [*(value for _, value in places.returned.pairs), places.said, places.returned_text]
    yield from _read_return_addresses(texts, ours)
    yield from _read_any(texts, ours, (*_READERS, Purpose.NOTICE))


_PLACES: tuple[tuple[NamedBy, Callable[[Places, Ours], Iterator[_Signed]]], ...] = (
    (NamedBy.ENVELOPE, _find_arrived),
    (NamedBy.SUBJECT, _find_requested),
    (NamedBy.ENVELOPE_ID, _find_given_back),
    (NamedBy.MESSAGE_ID, _find_referred_to),
    (NamedBy.RETURNED, _find_returned),
)


def find_arrivals(fields: Fields) -> list[str]:
    """Return what the head says of where a mail came to."""
    received = list(fields.all("received"))[:_MAX_TRIED]
    return [*fields.all(*_ARRIVAL_FIELDS), *(found[1] for value in received for found in _RECEIVED_FOR.finditer(value))]


def _read_return_addresses(texts: Iterable[str], ours: Ours) -> Iterator[_Signed]:
    """Yield what signed return addresses in texts say, also where a relay has encoded the plus sign."""
    for spelled in _first(found[0] for text in texts for found in _RETURN_ADDRESS.finditer(text)):
        local, _, domain = spelled.partition("@")
        address = f"{spelled[0]}+{local[-TOKEN_WIDTH:]}@{domain.rstrip('.')}"
        token = read_envelope_sender(ours.keys, address, ours.bounce_domain)
        notice = None if token else read_notice_sender(ours.keys, address, ours.bounce_domain)
        if token:
            yield Purpose.BOUNCE, token
        elif notice:
            yield Purpose.NOTICE, Token(notice, 0)


def _read_any(texts: Iterable[str], ours: Ours, purposes: Sequence[Purpose]) -> Iterator[_Signed]:
    """Yield what tokens anywhere in texts say, if one of our keys signed them for one of these purposes."""
    for spelled in _first(found[0] for text in texts for found in _TOKEN.finditer(text.replace("=\n", ""))):
        tokens = ((purpose, read_token(ours.keys, purpose, spelled)) for purpose in purposes)
        yield from ((purpose, token) for purpose, token in tokens if token)


def _first(found: Iterable[str]) -> list[str]:
    """Return the first few different ones: nobody makes us check signatures by the thousand."""
    kept: dict[str, None] = {}
    for text in found:
        kept[text] = None
        if len(kept) >= _MAX_TRIED:
            break
    return list(kept)
