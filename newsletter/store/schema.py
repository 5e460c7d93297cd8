"""The tables: readers, who stays out, editions, revisions, the ledger of deliveries, and paces.

Owns the shape of the data and every rule that one row can be held to; a state that makes no sense can't be written.
`migrations/` builds the same shape step by step, and a test compares the two on both engines. Times are aware UTC in
Python, microseconds since 1970 in SQLite and `timestamptz` in PostgreSQL.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in, the same instant in UTC out; a naive one is refused."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose `timestamptz` where there is one."""
        timestamp = TIMESTAMP(timezone=True) if dialect.name == "postgresql" else BigInteger()
        return dialect.type_descriptor(timestamp)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write an instant; raises ValueError for a naive datetime, which means no instant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value if dialect.name == "postgresql" else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read an instant, in UTC."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return cast(datetime, value).astimezone(UTC)
        return _EPOCH + _MICROSECOND * cast(int, value)


_Id = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows itself only in an INTEGER column

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("address", String(320), nullable=False),  # as it goes on the wire
    Column("address_key", String(320), nullable=False),  # the same for every spelling of one mailbox
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("language", String(35), nullable=False),
    Column("joined_at", UtcTime, nullable=False),
    Column("left_at", UtcTime),
    Column("source", Text, nullable=False),
    UniqueConstraint("address_key"),
    CheckConstraint("state IN ('pending', 'active', 'left', 'suspended')", name="state"),
    CheckConstraint("(state = 'left') = (left_at IS NOT NULL)", name="left_at"),
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

editions = Table(
    "editions",
    metadata,
    Column("id", _Id, primary_key=True),
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
    sqlite_autoincrement=True,
)

revisions = Table(
    "revisions",
    metadata,
    Column("edition_id", _Id, ForeignKey("editions.id"), primary_key=True),
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

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("edition_id", _Id, ForeignKey("editions.id"), nullable=False),
    Column("subscriber_id", _Id, ForeignKey("subscribers.id"), nullable=False),
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
    UniqueConstraint("edition_id", "subscriber_id"),
    CheckConstraint(
        "state IN ('queued', 'sending', 'deferred', 'sent', 'failed', 'cancelled', 'unknown')", name="state"
    ),
    CheckConstraint("(state = 'sending') = (owner IS NOT NULL)", name="owner"),
    CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name="lease_until"),
    # A claimed row keeps the time of its next try, so that giving it back undone is possible.
    CheckConstraint("state = 'sending' OR (state = 'deferred') = (next_attempt_at IS NOT NULL)", name="next_attempt"),
    CheckConstraint(
        "(state IN ('sent', 'failed', 'cancelled', 'unknown')) = (settled_at IS NOT NULL)", name="settled_at"
    ),
    CheckConstraint("attempts >= 0", name="attempts"),
    CheckConstraint("reply_code BETWEEN 0 AND 999", name="reply_code"),
    CheckConstraint("stage BETWEEN 0 AND 2", name="stage"),
    sqlite_autoincrement=True,
)

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

# Each index holds only the rows that wait for the one question it answers: claiming from a million rows stays flat.
_state = deliveries.c.state
for _name, _columns, _rows in (
    ("ix_deliveries_queued", ("edition_id", "stage", "id"), _state == "queued"),
    ("ix_deliveries_deferred", ("edition_id", "next_attempt_at"), _state == "deferred"),
    ("ix_deliveries_sending", ("owner",), _state == "sending"),
    ("ix_deliveries_unknown", ("edition_id", "id"), _state == "unknown"),
    ("ix_deliveries_waiting", ("subscriber_id",), _state.in_(("queued", "deferred"))),
):
    Index(_name, *(deliveries.c[_column] for _column in _columns), sqlite_where=_rows, postgresql_where=_rows)
