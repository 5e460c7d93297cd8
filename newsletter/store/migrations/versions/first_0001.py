"""The first schema: readers, suppressions, editions, revisions, deliveries.

A migration never changes once it is released, so it spells its own types and names.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Make every table."""
    _make_readers()
    _make_editions()
    _make_deliveries()


def _make_readers() -> None:
    op.create_table(
        "subscribers",
        sa.Column("id", _Id, nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("address_key", sa.String(320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("joined_at", _Time, nullable=False),
        sa.Column("left_at", _Time),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscribers"),
        sa.UniqueConstraint("address_key", name="uq_subscribers_address_key"),
        _check("subscribers", "state", "state IN ('pending', 'active', 'left', 'suspended')"),
        _check("subscribers", "left_at", "(state = 'left') = (left_at IS NOT NULL)"),
        _check("subscribers", "address", "address <> '' AND address_key <> ''"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "suppressions",
        sa.Column("address_hash", sa.String(64), nullable=False),
        sa.Column("address", sa.String(320)),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("created_at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name="pk_suppressions"),
        _check("suppressions", "address_hash", "length(address_hash) = 64"),
        _check("suppressions", "reason", "reason IN ('left', 'bounced', 'complained', 'erased')"),
        _check("suppressions", "erased", "reason <> 'erased' OR address IS NULL"),
    )


def _make_editions() -> None:
    op.create_table(
        "editions",
        sa.Column("id", _Id, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("title", "subject", "preheader")),
        sa.Column("language", sa.String(35), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("page_url", "html", "text")),
        sa.Column("sender", sa.JSON(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("published_at", _Time, nullable=False),
        sa.Column("updated_at", _Time, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("audience", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_editions"),
        sa.UniqueConstraint("slug", name="uq_editions_slug"),
        _check("editions", "state", "state IN ('frozen', 'published')"),
        _check("editions", "audience", "(state = 'published') = (audience IS NOT NULL)"),
        _check("editions", "audience_count", "audience IS NULL OR audience >= 0"),
        _check("editions", "hash", "length(hash) = 64"),
        _check("editions", "revision", "revision >= 1 AND (state = 'published' OR revision = 1)"),
        _check("editions", "updated_at", "updated_at >= published_at"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "revisions",
        sa.Column("edition_id", _Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_hash", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("created_at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "number", name="pk_revisions"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_revisions_edition_id"),
        _check("revisions", "number", "number >= 1"),
        _check("revisions", "source_hash", "length(source_hash) = 64"),
        _check("revisions", "reason", "reason IN ('publish', 'correct')"),
        _check("revisions", "first", "(reason = 'publish') = (number = 1)"),
    )


def _make_deliveries() -> None:
    states = "'queued', 'sending', 'deferred', 'sent', 'failed', 'cancelled', 'unknown'"
    op.create_table(
        "deliveries",
        sa.Column("id", _Id, nullable=False),
        sa.Column("edition_id", _Id, nullable=False),
        sa.Column("subscriber_id", _Id, nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("queued_at", _Time, nullable=False),
        sa.Column("next_attempt_at", _Time),
        sa.Column("owner", sa.Text()),
        sa.Column("lease_until", _Time),
        sa.Column("settled_at", _Time),
        sa.Column("reply_code", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("reply_enhanced", sa.String(16), nullable=False, server_default=sa.text("''")),
        sa.Column("reply_text", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_deliveries_edition_id"),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name="fk_deliveries_subscriber_id"),
        sa.UniqueConstraint("edition_id", "subscriber_id", name="uq_deliveries_edition_id_subscriber_id"),
        _check("deliveries", "state", f"state IN ({states})"),
        _check("deliveries", "owner", "(state = 'sending') = (owner IS NOT NULL)"),
        _check("deliveries", "lease_until", "(state = 'sending') = (lease_until IS NOT NULL)"),
        _check(
            "deliveries",
            "next_attempt",
            "state = 'sending' OR (state = 'deferred') = (next_attempt_at IS NOT NULL)",
        ),
        _check(
            "deliveries",
            "settled_at",
            "(state IN ('sent', 'failed', 'cancelled', 'unknown')) = (settled_at IS NOT NULL)",
        ),
        _check("deliveries", "attempts", "attempts >= 0"),
        _check("deliveries", "reply_code", "reply_code BETWEEN 0 AND 999"),
        sqlite_autoincrement=True,
    )
    _index("ix_deliveries_queued", ["edition_id", "id"], "state = 'queued'")
    _index("ix_deliveries_deferred", ["edition_id", "next_attempt_at"], "state = 'deferred'")
    _index("ix_deliveries_sending", ["owner"], "state = 'sending'")
    _index("ix_deliveries_waiting", ["subscriber_id"], "state IN ('queued', 'deferred')")


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _index(name: str, columns: list[str], rows: str) -> None:
    op.create_index(name, "deliveries", columns, sqlite_where=sa.text(rows), postgresql_where=sa.text(rows))
