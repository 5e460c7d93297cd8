"""Readers: who they are, who stays out, what they agreed to, and what they have asked for and not confirmed."""

from collections.abc import Collection

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint, text

from newsletter.store.schema.base import Id, UtcTime, metadata

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address", String(320), nullable=False),  # as it goes on the wire
    Column("address_key", String(320), nullable=False),  # the same for every spelling of one mailbox
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("language", String(35), nullable=False),
    Column("joined_at", UtcTime, nullable=False),
    Column("left_at", UtcTime),
    Column("source", Text, nullable=False),
    Column("topics", Text, nullable=False, server_default=text("''")),  # keys, sorted, one space between; none: all
    Column("cadence", String(8), nullable=False, server_default=text("'each'")),
    Column("paused_until", UtcTime),
    UniqueConstraint("address_key"),
    CheckConstraint("state IN ('pending', 'active', 'left', 'suspended')", name="state"),
    CheckConstraint("(state = 'left') = (left_at IS NOT NULL)", name="left_at"),
    CheckConstraint("cadence IN ('each', 'weekly', 'monthly')", name="cadence"),
    CheckConstraint("address <> '' AND address_key <> ''", name="address"),
    sqlite_autoincrement=True,  # an id is never used again: links in old mail hold it
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", String(64), primary_key=True),  # SHA-256 (hex) of the address key
    Column("address", String(320)),  # forgotten on erasure; the hash still keeps the address out
    Column("reason", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("length(address_hash) = 64", name="address_hash"),
    CheckConstraint("reason IN ('left', 'bounced', 'complained', 'erased')", name="reason"),
    CheckConstraint("reason <> 'erased' OR address IS NULL", name="erased"),
)

consents = Table(
    "consents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscribers.id"), nullable=False),
    Column("event", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("source", Text, nullable=False),  # form, embed, api, one-click, mail, by hand, a file's name
    Column("client", Text, nullable=False, server_default=text("''")),  # the network address it came from, if any
    Column("wording", Text, nullable=False, server_default=text("''")),  # the text that was agreed to
    Column("detail", Text, nullable=False, server_default=text("''")),  # what was changed, in words
    CheckConstraint(
        "event IN ('asked', 'confirmed', 'added', 'imported', 'changed', 'moved', 'left', 'suspended', 'restored', "
        "'erased')",
        name="event",
    ),
    CheckConstraint("source <> ''", name="source"),
    sqlite_autoincrement=True,
)
Index("ix_consents_subscriber_id", consents.c.subscriber_id, consents.c.id)

requests = Table(
    "requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscribers.id")),  # whose address is to change
    Column("address", String(320), nullable=False),
    Column("address_key", String(320), nullable=False),
    Column("name", Text, nullable=False),
    Column("topics", Text, nullable=False),
    Column("cadence", String(8), nullable=False),
    Column("language", String(35), nullable=False),
    Column("source", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("wording", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("confirmed_at", UtcTime),
    CheckConstraint("kind IN ('join', 'move')", name="kind"),
    CheckConstraint("(kind = 'move') = (subscriber_id IS NOT NULL)", name="subscriber"),
    CheckConstraint("cadence IN ('each', 'weekly', 'monthly')", name="cadence"),
    CheckConstraint("expires_at > created_at", name="expires_at"),
    sqlite_autoincrement=True,  # links in mail hold the number
)
Index("ix_requests_address_key", requests.c.address_key)
Index("ix_requests_expires_at", requests.c.expires_at)


def join_topics(topics: Collection[str]) -> str:
    """Return topic keys as a column holds them: equal choices are equal texts."""
    return " ".join(sorted(topics))
