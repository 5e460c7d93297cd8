"""Writes down what the editor is to be told: a mail for each of his addresses, and a call of the webhook.

Owns that an event is told once: its key is unique, and it is written in the transaction of what it tells of. Sending is
`delivery.notices` and `schedule.calls`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from newsletter.config import Alerts, Settings, name_config
from newsletter.mail.address import normalise_address
from newsletter.model.notice import NewNotice
from newsletter.schedule.calls import PATIENCE
from newsletter.schedule.events import Event
from newsletter.store.calls import write_call
from newsletter.store.database import Connection
from newsletter.store.notices import write_notice

KIND: Final = "editor"
_WORTH: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Teller:
    """Who is told, and in whose name; commands in mails name the `config`."""

    alerts: Alerts
    publication: str
    url: str
    config: Path | None = None

    def tell(self, connection: Connection, event: Event, now: datetime) -> bool:
        """Write an event down; return whether it is a new one, or nobody is to be told anything."""
        fresh = [self._write_mail(connection, event, address, now) for address in self.alerts.editor]
        if self.alerts.webhook:
            body = self._compose_body(event, now)
            fresh.append(write_call(connection, "webhook", event.key, body, now, now + PATIENCE))
        return any(fresh) or not fresh

    def without_mail(self) -> Self:
        """Return who tells the webhook only."""
        return replace(self, alerts=self.alerts.model_copy(update={"editor": ()}))

    def beat(self, connection: Connection, key: str, now: datetime) -> None:
        """Write down that the heartbeat is to be called; it says something about today, so not for long."""
        if self.alerts.heartbeat:
            write_call(connection, "heartbeat", f"heartbeat:{key}", "", now, now + timedelta(hours=12))

    def _write_mail(self, connection: Connection, event: Event, address: str, now: datetime) -> bool:
        notice = NewNotice(
            kind=KIND,
            key=f"{event.key}:{address}",
            address=normalise_address(address).wire,
            subject=f"[{self.publication}] {event.subject}",
            text=f"{name_config(event.text, self.config)}\n",
            language="en",
            expires_at=now + _WORTH,
        )
        return write_notice(connection, notice, now)

    def _compose_body(self, event: Event, now: datetime) -> str:
        data: Mapping[str, object] = {"publication": self.publication, "subject": event.subject, **event.data}
        body = {"type": event.kind, "timestamp": now, "data": data}
        return json.dumps(body, ensure_ascii=False, default=_plain)


def make_teller(settings: Settings) -> Teller:
    """Return who is told of a publication."""
    return Teller(settings.alerts, settings.publication.title, settings.publication.url, settings.file)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
