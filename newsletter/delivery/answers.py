"""Writes into the log what servers answered, by the numbers of edition and delivery."""

import logging
from collections.abc import Sequence

from newsletter.logs import get_logger
from newsletter.model.delivery import DeliveryState, Settlement

_log = get_logger(__name__)


def log_answers(edition_id: int, settlements: Sequence[Settlement]) -> None:
    """Write one line for each answer: all of them for who wants every detail, else those that aren't an acceptance."""
    if not _log.isEnabledFor(logging.INFO):
        return
    detailed = _log.isEnabledFor(logging.DEBUG)
    for item in settlements:
        sent = item.state is DeliveryState.SENT
        if detailed or not sent:
            write = _log.debug if sent else _log.info
            reply = {"code": item.reply.code, "enhanced": item.reply.enhanced, "reply": item.reply.text}
            write("delivery settled", edition=edition_id, delivery=item.delivery_id, state=str(item.state), **reply)
