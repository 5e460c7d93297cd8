"""What came back: each mail once (reports), and what it meant for a reader (bounces)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from newsletter.store.schema.base import Id, UtcTime, metadata

reports = Table(
    "reports",
    metadata,
    Column("id", Id, primary_key=True),
    Column("hash", String(64), nullable=False),  # SHA-256 (hex) of the mail: what comes twice counts once
    Column("arrived_at", UtcTime, nullable=False),
    Column("way", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("form", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscribers.id")),  # by a name that we signed; none: nobody is changed
    Column("edition_id", BigInteger),  # not a reference: warnings and probes have numbers of their own
    Column("named_by", String(16), nullable=False, server_default=text("''")),
    Column("sender", String(320), nullable=False),
    Column("subject", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("raw", LargeBinary),  # only as long as a human may have to look at it
    UniqueConstraint("hash"),
    CheckConstraint("length(hash) = 64", name="hash"),
    CheckConstraint("way <> '' AND kind <> ''", name="way"),
    CheckConstraint("state IN ('read', 'kept', 'forwarded')", name="state"),
    CheckConstraint("state <> 'kept' OR raw IS NOT NULL", name="raw"),
    CheckConstraint("size >= 0", name="size"),
    sqlite_autoincrement=True,
)
_kept = reports.c.state == "kept"
Index("ix_reports_kept", reports.c.id, sqlite_where=_kept, postgresql_where=_kept)
Index("ix_reports_arrived_at", reports.c.arrived_at)

bounces = Table(
    "bounces",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscribers.id"), nullable=False),
    Column("edition_id", BigInteger),
    Column("report_id", Id, ForeignKey("reports.id")),
    Column("delivery_id", Id, ForeignKey("deliveries.id")),  # refused while it was sent; no report came
    Column("at", UtcTime, nullable=False),
    Column("reason", String(24), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("code", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("diagnostic", Text, nullable=False),
    Column("domain", String(255), nullable=False),
    Column("undone_at", UtcTime),  # the operator has overruled it, and it counts no more
    UniqueConstraint("report_id"),
    UniqueConstraint("delivery_id"),
    CheckConstraint("(report_id IS NULL) <> (delivery_id IS NULL)", name="cause"),
    CheckConstraint("severity IN ('hard', 'soft', 'none')", name="severity"),
    CheckConstraint(
        "verdict IN ('noted', 'counted', 'warn', 'probe', 'suspend', 'complaint', 'leave')", name="verdict"
    ),
    CheckConstraint("code BETWEEN 0 AND 999", name="code"),
    CheckConstraint("reason <> ''", name="reason"),
    sqlite_autoincrement=True,
)
Index("ix_bounces_subscriber_id", bounces.c.subscriber_id, bounces.c.id)
Index("ix_bounces_at", bounces.c.at)
