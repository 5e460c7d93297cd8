"""Makes readers' mails ready for the wire: composed, signed if there are keys, and addressed.

Owns what is done once for an edition and its variants, and what for each reader. Called in threads.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

from newsletter.delivery.desk import Compose, ComposeAll, Made
from newsletter.delivery.exchange import Prepared, compose_commands, compose_dsn_options
from newsletter.delivery.lanes import Mail
from newsletter.mail.dkim import (
    SigningFrame,
    SigningKeys,
    Unsigned,
    finish_signature,
    prepare_signature,
    prepare_signing,
)
from newsletter.mail.message import Frame, compose_personal, compose_pieces, encode_edition
from newsletter.mail.verp import name_envelope_sender
from newsletter.model.delivery import Delivery, Reply
from newsletter.model.edition import Edition

FRAMES_KEPT = 256
"""Variants kept encoded in memory; a variant's readers stand together in the ledger, so few are in use at a time."""

LoadVariant = Callable[[int], Edition]
"""Returns the edition's variant with a number; called in threads. Raises StoreError."""

Sign = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Returns RSA signatures of SHA-256 digests, in their order; called in threads."""


class Encoded(NamedTuple):
    """An edition or a variant of it, encoded once; `signing` is None where nothing signs."""

    frame: Frame
    signing: SigningFrame | None


class Draft(NamedTuple):
    """A reader's mail, addressed: whole in `pieces`, or `unsigned`."""

    delivery: Delivery
    envelope: bytes
    dsn_envelope: bytes
    pieces: list[bytes]
    unsigned: Unsigned | None


FindEncoded = Callable[[int], Encoded]


def make_compose(
    edition: Edition,
    published_at: datetime,
    key: bytes,
    keys: SigningKeys | None,
    load_variant: LoadVariant | None = None,
) -> Compose:
    """Encode an edition once and return what makes each reader's mail of it, or of the variant that he is given.

    A variant is loaded and encoded when the first mail of it is made. Raises ValueError for an edition that can't be a
    mail.
    """
    find = _encode(edition, published_at, keys, load_variant)

    def compose(delivery: Delivery) -> Mail:
        draft = _draft(find(delivery.variant), key, delivery)
        unsigned = draft.unsigned
        return _finish(draft, unsigned.signing.sign_rsa(unsigned.digest) if unsigned else b"")

    return compose


def make_compose_all(
    edition: Edition,
    published_at: datetime,
    key: bytes,
    keys: SigningKeys | None,
    load_variant: LoadVariant,
    sign: Sign,
) -> ComposeAll:
    """Do as `make_compose` does, for many readers at a time, so that all their mails are signed in one go."""
    find = _encode(edition, published_at, keys, load_variant)

    def draft(delivery: Delivery) -> Draft | Made:
        try:
            return _draft(find(delivery.variant), key, delivery)
        except ValueError as error:
            return delivery, describe_unwritable(error)

    def compose_all(deliveries: Sequence[Delivery]) -> list[Made]:
        drafts = [draft(delivery) for delivery in deliveries]
        digests = [one.unsigned.digest for one in drafts if isinstance(one, Draft) and one.unsigned]
        signatures = iter(sign(digests) if digests else ())
        return [
            one if not isinstance(one, Draft) else _finish(one, next(signatures) if one.unsigned else b"")
            for one in drafts
        ]

    return compose_all


def one_by_one(compose: Compose) -> ComposeAll:
    """Return what makes mails of many readers with what makes one."""

    def make(delivery: Delivery) -> Made:
        try:
            return compose(delivery)
        except ValueError as error:
            return delivery, describe_unwritable(error)

    return lambda deliveries: [make(delivery) for delivery in deliveries]


def describe_unwritable(error: ValueError) -> Reply:
    """Return why no mail can be made for a reader, as if a server had said it."""
    return Reply(0, "5.1.3", f"the mail can't be addressed: {error}")


def _encode(
    edition: Edition, published_at: datetime, keys: SigningKeys | None, load_variant: LoadVariant | None
) -> FindEncoded:
    """Encode an edition and return what finds it, and its variants, by number."""

    def encode(version: Edition) -> Encoded:
        frame = encode_edition(version, published_at)
        return Encoded(frame, prepare_signing(frame, keys, published_at) if keys else None)

    whole, loading = encode(edition), Lock()

    @lru_cache(maxsize=FRAMES_KEPT)
    def encode_variant(number: int) -> Encoded:
        if load_variant is None:
            raise ValueError(f"nobody can tell what variant {number} of {edition.slug} is")
        return encode(load_variant(number))

    def find(number: int) -> Encoded:
        if not number:
            return whole
        with loading:  # two threads that want the same one encode it once
            return encode_variant(number)

    return find


def _draft(encoded: Encoded, key: bytes, delivery: Delivery) -> Draft:
    """Do all but signing; raise ValueError for a reader who can't be written to."""
    frame, signing = encoded
    address, ids = delivery.address, {"edition_id": delivery.edition_id, "subscriber_id": delivery.subscriber_id}
    personal = compose_personal(key, **ids, address=address, name=delivery.name)
    token = personal.bounce.decode()
    sender = name_envelope_sender(token, frame.bounce_domain)
    options = "" if address.isascii() else "SMTPUTF8"
    mail_dsn, rcpt_dsn = compose_dsn_options(token, address)
    plain = compose_commands(sender, address, options)
    reported = compose_commands(sender, address, f"{options} {mail_dsn}".lstrip(), rcpt_dsn)
    if signing is None:
        return Draft(delivery, plain, reported, compose_pieces(frame, personal), None)
    return Draft(delivery, plain, reported, [], prepare_signature(signing, personal))


def _finish(draft: Draft, rsa: bytes) -> Mail:
    """Return the mail; `rsa` is the signature of its digest, if it has one."""
    delivery, envelope, dsn_envelope, pieces, unsigned = draft
    return Prepared(delivery, envelope, finish_signature(unsigned, rsa) if unsigned else pieces, dsn_envelope)
