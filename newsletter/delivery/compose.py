"""Makes a reader's mail ready for the wire: composed, signed if there are keys, and addressed.

Owns what is done once for an edition and what for each reader. Pure; called in threads.
"""

from datetime import datetime

from newsletter.delivery.desk import Compose
from newsletter.delivery.exchange import Prepared, compose_commands
from newsletter.delivery.lanes import Mail
from newsletter.mail.dkim import SigningKeys, prepare_signing, sign_pieces
from newsletter.mail.message import compose_personal, compose_pieces, encode_edition
from newsletter.mail.verp import make_envelope_sender
from newsletter.model.delivery import Delivery
from newsletter.model.edition import Edition


def make_compose(edition: Edition, published_at: datetime, key: bytes, keys: SigningKeys | None) -> Compose:
    """Encode an edition once and return what makes each reader's mail of it.

    Raises ValueError for an edition that can't be a mail.
    """
    frame = encode_edition(edition, published_at)
    signing = prepare_signing(frame, keys, published_at) if keys else None

    def compose(delivery: Delivery) -> Mail:
        ids = {"edition_id": delivery.edition_id, "subscriber_id": delivery.subscriber_id}
        personal = compose_personal(key, **ids, address=delivery.address, name=delivery.name)
        pieces = sign_pieces(signing, personal) if signing else compose_pieces(frame, personal)
        sender = make_envelope_sender(key, delivery.subscriber_id, delivery.edition_id, frame.bounce_domain)
        options = "" if delivery.address.isascii() else "SMTPUTF8"
        return Prepared(delivery, compose_commands(sender, delivery.address, options), pieces)

    return compose
