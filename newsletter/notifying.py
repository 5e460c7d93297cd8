"""Sends what waits outside editions: confirmations, reminders, reports. The wiring of `delivery.notices`."""

import os
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from newsletter.app import App
from newsletter.delivery.notices import NoticeDesk, NoticeTally, deliver_notices, open_notice_transport
from newsletter.render.edition import sender_of


def send_notices(
    app: App,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    should_stop: Callable[[], bool] = lambda: False,
    without: Collection[int] = (),
) -> NoticeTally:
    """Send every notice that is due now, but for those `without`, by the relay or to the outbox.

    Raises UsageError for a password that can't be found, StoreError, and TransportError where the outbox can't be
    written.
    """
    desk = NoticeDesk(
        database=app.database,
        transport=open_notice_transport(app.settings, environ),
        sender=sender_of(app.settings),
        keys=app.keys,
        settings=app.settings,
        clock=clock,
        should_stop=should_stop,
        without=without,
    )
    return deliver_notices(desk)
