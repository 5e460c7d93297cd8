"""When issues are due and what became of each day; who is called; what a restored database must not send again."""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from newsletter.store.schema.base import Id, UtcTime, metadata

slots = Table(
    "slots",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("day", Date, primary_key=True),  # where the publication is
    Column("due_at", UtcTime, nullable=False),
    Column("rule", Text, nullable=False),  # the time of day it was planned by
    Column("time_zone", Text, nullable=False),
    Column("planned_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", String(16), nullable=False, server_default=text("''")),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("decided_at", UtcTime),
    Column("edition_id", Id, ForeignKey("editions.id")),
    Column("owner", Text),  # who is about to publish it
    Column("lease_until", UtcTime),
    Column("warned_at", UtcTime),
    Column("told", Text, nullable=False, server_default=text("''")),
    Column("told_at", UtcTime),
    Column("reported_at", UtcTime),
    CheckConstraint("kind IN ('issue', 'weekly', 'monthly')", name="kind"),
    CheckConstraint("state IN ('due', 'held', 'published', 'skipped', 'missed')", name="state"),
    CheckConstraint(
        "why IN ('', 'no issue', 'errors', 'draft', 'trouble', 'late', 'operator')",
        name="why",
    ),
    CheckConstraint("(state IN ('due', 'published')) = (why = '')", name="why_state"),
    CheckConstraint("(state = 'due') = (decided_at IS NULL)", name="decided_at"),
    CheckConstraint("(state = 'published') = (edition_id IS NOT NULL)", name="edition_id"),
    CheckConstraint("owner IS NULL OR state IN ('due', 'held')", name="owner"),
    CheckConstraint("(owner IS NULL) = (lease_until IS NULL)", name="lease_until"),
    CheckConstraint("reported_at IS NULL OR state = 'published'", name="reported_at"),
)
_open = slots.c.state.in_(("due", "held"))
Index("ix_slots_open", slots.c.due_at, sqlite_where=_open, postgresql_where=_open)
Index("ix_slots_edition_id", slots.c.edition_id)

# When something was last done: how far slots are planned, and each tick's last good run.
marks = Table(
    "marks",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("text", Text, nullable=False, server_default=text("''")),
    CheckConstraint("key <> ''", name="key"),
)

# What is told to other programs: webhooks and heartbeats, kept until they were heard or it isn't worth it any more.
calls = Table(
    "calls",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("key", Text, nullable=False),  # what is told once is told once
    Column("body", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("next_attempt_at", UtcTime),
    Column("owner", Text),
    Column("lease_until", UtcTime),
    Column("settled_at", UtcTime),
    Column("reply", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("key"),
    CheckConstraint("kind IN ('webhook', 'heartbeat')", name="kind"),
    CheckConstraint("state IN ('queued', 'calling', 'done', 'failed')", name="state"),
    CheckConstraint("(state = 'queued') = (next_attempt_at IS NOT NULL)", name="next_attempt"),
    CheckConstraint("(state = 'calling') = (owner IS NOT NULL)", name="owner"),
    CheckConstraint("(state = 'calling') = (lease_until IS NOT NULL)", name="lease_until"),
    CheckConstraint("(state IN ('done', 'failed')) = (settled_at IS NOT NULL)", name="settled_at"),
    CheckConstraint("attempts >= 0", name="attempts"),
    sqlite_autoincrement=True,
)
_waiting = calls.c.state == "queued"
Index("ix_calls_due", calls.c.next_attempt_at, sqlite_where=_waiting, postgresql_where=_waiting)

# Which database this is, and how far it has come: compared with what its senders keep beside it (`delivery.fence`).
ledgers = Table(
    "ledgers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("line", String(32), nullable=False),  # the same in every copy of it
    Column("life", String(32), nullable=False),  # another one after each restore
    Column("epoch", Id, nullable=False),  # counts the pages that senders have written
    Column("lives", JSON, nullable=False),  # those before this one, each with the epoch that a restore went back to
    Column("copied_at", UtcTime),  # in a copy: when it was made
    CheckConstraint("id = 1", name="id"),
    CheckConstraint("length(line) = 32 AND length(life) = 32", name="line"),
    CheckConstraint("epoch >= 0", name="epoch"),
)

# Issues that may have been sent by the database that a restored one has replaced: their readers are unknown.
fenced = Table(
    "fenced",
    metadata,
    Column("key", Text, primary_key=True),  # slug:…, or day:… where it isn't known which
    Column("noted_at", UtcTime, nullable=False),
    CheckConstraint("key <> ''", name="key"),
)
