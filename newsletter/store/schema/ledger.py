"""The ledger: editions, what they were made from, their variants, and one row for each reader who was due."""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from newsletter.store.schema.base import Id, UtcTime, metadata

editions = Table(
    "editions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("slug", Text, nullable=False),
    Column("issue_date", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("preheader", Text, nullable=False),
    Column("language", String(35), nullable=False),
    Column("page_url", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("sender", JSON, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("published_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("audience", Integer),
    Column("control", String(16), nullable=False, server_default=text("'running'")),
    Column("control_reason", Text, nullable=False, server_default=text("''")),
    Column("control_at", UtcTime),
    Column("kind", String(8), nullable=False, server_default=text("'issue'")),
    Column("reported_at", UtcTime),  # when the editor was told what became of it
    UniqueConstraint("slug"),
    CheckConstraint("state IN ('frozen', 'published')", name="state"),
    CheckConstraint("(state = 'published') = (audience IS NOT NULL)", name="audience"),
    CheckConstraint("audience IS NULL OR audience >= 0", name="audience_count"),
    CheckConstraint("length(hash) = 64", name="hash"),
    CheckConstraint("revision >= 1 AND (state = 'published' OR revision = 1)", name="revision"),
    CheckConstraint("updated_at >= published_at", name="updated_at"),
    CheckConstraint("control IN ('running', 'paused', 'cancelled', 'halted')", name="control"),
    # A publish would put readers into the queue of an edition that was cancelled before it.
    CheckConstraint("control = 'running' OR state = 'published'", name="control_published"),
    CheckConstraint(
        "(control <> 'halted' OR control_reason <> '') AND (control <> 'running' OR control_reason = '')",
        name="control_reason",
    ),
    CheckConstraint("control = 'running' OR control_at IS NOT NULL", name="control_at"),
    CheckConstraint("kind IN ('issue', 'weekly', 'monthly')", name="kind"),
    sqlite_autoincrement=True,
)
_unreported = editions.c.reported_at.is_(None)
Index("ix_editions_unreported", editions.c.id, sqlite_where=_unreported, postgresql_where=_unreported)

revisions = Table(
    "revisions",
    metadata,
    Column("edition_id", Id, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("source_hash", String(64), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("number >= 1", name="number"),
    CheckConstraint("length(source_hash) = 64", name="source_hash"),
    CheckConstraint("reason IN ('publish', 'correct')", name="reason"),
    CheckConstraint("(reason = 'publish') = (number = 1)", name="first"),
)

# What readers of some topics get, or readers who have had some of it before. Number 0 is the edition itself, for
# everybody else, and has no row here.
variants = Table(
    "variants",
    metadata,
    Column("edition_id", Id, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),  # the combination it is for (`model.variant`)
    Column("subject", Text, nullable=False),
    Column("preheader", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("edition_id", "key"),
    CheckConstraint("number >= 1", name="number"),
    CheckConstraint("key <> ''", name="key"),
    CheckConstraint("length(hash) = 64", name="hash"),
)

# Which works (`model.issue.Entry.id`) stand in which variant: so it is known what a reader has had.
works = Table(
    "works",
    metadata,
    Column("edition_id", Id, ForeignKey("editions.id"), primary_key=True),
    Column("variant", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    CheckConstraint("variant >= 0", name="variant"),
)
Index("ix_works_key", works.c.key)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("edition_id", Id, ForeignKey("editions.id"), nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscribers.id"), nullable=False),
    Column("address", String(320), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("queued_at", UtcTime, nullable=False),
    Column("next_attempt_at", UtcTime),
    Column("owner", Text),
    Column("lease_until", UtcTime),
    Column("settled_at", UtcTime),
    Column("reply_code", Integer, nullable=False, server_default=text("0")),
    Column("reply_enhanced", String(16), nullable=False, server_default=text("''")),
    Column("reply_text", Text, nullable=False, server_default=text("''")),
    Column("stage", SmallInteger, nullable=False, server_default=text("2")),
    Column("variant", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("edition_id", "subscriber_id"),
    CheckConstraint(
        "state IN ('queued', 'sending', 'deferred', 'sent', 'failed', 'cancelled', 'unknown', 'excluded')",
        name="state",
    ),
    CheckConstraint("(state = 'sending') = (owner IS NOT NULL)", name="owner"),
    CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name="lease_until"),
    # A claimed row keeps the time of its next try, so that giving it back undone is possible.
    CheckConstraint("state = 'sending' OR (state = 'deferred') = (next_attempt_at IS NOT NULL)", name="next_attempt"),
    CheckConstraint(
        "(state IN ('sent', 'failed', 'cancelled', 'unknown', 'excluded')) = (settled_at IS NOT NULL)",
        name="settled_at",
    ),
    CheckConstraint("attempts >= 0", name="attempts"),
    CheckConstraint("reply_code BETWEEN 0 AND 999", name="reply_code"),
    CheckConstraint("stage BETWEEN 0 AND 2", name="stage"),
    CheckConstraint("variant >= 0", name="variant"),
    sqlite_autoincrement=True,
)

# Each index holds only the rows that wait for the one question it answers: claiming from a million rows stays flat.
_state = deliveries.c.state
for _name, _columns, _rows in (
    ("ix_deliveries_queued", ("edition_id", "stage", "id"), _state == "queued"),
    ("ix_deliveries_deferred", ("edition_id", "next_attempt_at"), _state == "deferred"),
    ("ix_deliveries_sending", ("owner",), _state == "sending"),
    ("ix_deliveries_unknown", ("edition_id", "id"), _state == "unknown"),
    ("ix_deliveries_failed", ("id",), _state == "failed"),
    ("ix_deliveries_waiting", ("subscriber_id",), _state.in_(("queued", "deferred"))),
):
    Index(_name, *(deliveries.c[_column] for _column in _columns), sqlite_where=_rows, postgresql_where=_rows)
