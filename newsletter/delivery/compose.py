"""Makes a reader's mail ready for the wire: composed, signed if there are keys, and addressed.

Owns what is done once for an edition and its variants, and what for each reader. Called in threads.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from threading import Lock

from newsletter.delivery.desk import Compose
from newsletter.delivery.exchange import Prepared, compose_commands, compose_dsn_options
from newsletter.delivery.lanes import Mail
from newsletter.mail.dkim import SigningFrame, SigningKeys, prepare_signing, sign_pieces
from newsletter.mail.message import Frame, compose_personal, compose_pieces, encode_edition
from newsletter.mail.verp import name_envelope_sender
from newsletter.model.delivery import Delivery
from newsletter.model.edition import Edition

FRAMES_KEPT = 256
"""Variants kept encoded in memory; a variant's readers stand together in the ledger, so few are in use at a time."""

LoadVariant = Callable[[int], Edition]
"""Returns the edition's variant with a number; called in threads. Raises StoreError."""


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

    def encode(version: Edition) -> tuple[Frame, SigningFrame | None]:
        frame = encode_edition(version, published_at)
        return frame, prepare_signing(frame, keys, published_at) if keys else None

    whole, loading = encode(edition), Lock()

    @lru_cache(maxsize=FRAMES_KEPT)
    def encode_variant(number: int) -> tuple[Frame, SigningFrame | None]:
        if load_variant is None:
            raise ValueError(f"nobody can tell what variant {number} of {edition.slug} is")
        return encode(load_variant(number))

    def find_frame(number: int) -> tuple[Frame, SigningFrame | None]:
        if not number:
            return whole
        with loading:  # two threads that want the same one encode it once
            return encode_variant(number)

    def compose(delivery: Delivery) -> Mail:
        frame, signing = find_frame(delivery.variant)
        ids = {"edition_id": delivery.edition_id, "subscriber_id": delivery.subscriber_id}
        personal = compose_personal(key, **ids, address=delivery.address, name=delivery.name)
        pieces = sign_pieces(signing, personal) if signing else compose_pieces(frame, personal)
        token, address = personal.bounce.decode(), delivery.address
        sender = name_envelope_sender(token, frame.bounce_domain)
        options = "" if address.isascii() else "SMTPUTF8"
        mail_dsn, rcpt_dsn = compose_dsn_options(token, address)
        plain = compose_commands(sender, address, options)
        reported = compose_commands(sender, address, f"{options} {mail_dsn}".lstrip(), rcpt_dsn)
        return Prepared(delivery, plain, pieces, reported)

    return compose
