"""What the service itself keeps: how fast mail went, who asks too often, and mail that belongs to no edition."""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from newsletter.store.schema.base import Id, UtcTime, metadata

paces = Table(
    "paces",
    metadata,
    Column("key", String(320), primary_key=True),
    Column("updated_at", UtcTime, nullable=False),
    Column("second_full_at", UtcTime),
    Column("hour_full_at", UtcTime),
    Column("day_full_at", UtcTime),
    Column("rate", Float),
    Column("ceiling", Float),
    Column("cut_at", UtcTime),
    Column("changed_at", UtcTime),
    CheckConstraint("key <> ''", name="key"),
    CheckConstraint("rate IS NULL OR rate > 0", name="rate"),
    CheckConstraint("ceiling IS NULL OR (rate IS NOT NULL AND ceiling > 0)", name="ceiling"),
    CheckConstraint("(rate IS NULL) = (cut_at IS NULL)", name="cut_at"),
    CheckConstraint("(rate IS NULL) = (changed_at IS NULL)", name="changed_at"),
)

# One token bucket for each key, kept as the time at which it is full again (generic cell rate algorithm).
throttles = Table(
    "throttles",
    metadata,
    Column("key", String(320), primary_key=True),
    Column("full_at", UtcTime, nullable=False),
    CheckConstraint("key <> ''", name="key"),
)
Index("ix_throttles_full_at", throttles.c.full_at)

# Mail to one person outside any edition: confirmations, reports to the editor, alerts.
notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("key", Text),  # a notice with the key of another one is not written a second time
    Column("address", String(320), nullable=False),
    Column("subscriber_id", Id),  # whom it is to, as far as known; not a reference: who never confirms is deleted
    Column("return_number", BigInteger),  # in place of an edition in the return address: a bounce counts for it
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False, server_default=text("''")),
    Column("headers", JSON, nullable=False),
    Column("language", String(35), nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),  # not worth sending after that
    Column("next_attempt_at", UtcTime),
    Column("owner", Text),
    Column("lease_until", UtcTime),
    Column("settled_at", UtcTime),
    Column("reply", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("key"),
    CheckConstraint("kind <> '' AND address <> ''", name="address"),
    CheckConstraint("state IN ('queued', 'sending', 'sent', 'failed')", name="state"),
    CheckConstraint("(state = 'queued') = (next_attempt_at IS NOT NULL)", name="next_attempt"),
    CheckConstraint("(state = 'sending') = (owner IS NOT NULL)", name="owner"),
    CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name="lease_until"),
    CheckConstraint("(state IN ('sent', 'failed')) = (settled_at IS NOT NULL)", name="settled_at"),
    CheckConstraint("attempts >= 0", name="attempts"),
    CheckConstraint("return_number IS NULL OR subscriber_id IS NOT NULL", name="return_number"),
    sqlite_autoincrement=True,
)
_due = notices.c.state == "queued"
Index("ix_notices_due", notices.c.next_attempt_at, sqlite_where=_due, postgresql_where=_due)
