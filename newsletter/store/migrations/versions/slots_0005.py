"""When issues are due, and what became of each day."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")
_EMPTY, _ZERO = sa.text("''"), sa.text("0")


def upgrade() -> None:
    """Make the tables."""
    _make_slots()
    _make_marks()
    _make_calls()
    _make_ledgers()


def _make_slots() -> None:
    op.create_table(
        "slots",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("due_at", _Time, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("rule", "time_zone")),
        sa.Column("planned_at", _Time, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("why", sa.String(16), nullable=False, server_default=_EMPTY),
        sa.Column("detail", sa.Text(), nullable=False, server_default=_EMPTY),
        sa.Column("decided_at", _Time),
        sa.Column("edition_id", _Id),
        sa.Column("owner", sa.Text()),
        *(sa.Column(name, _Time) for name in ("lease_until", "warned_at")),
        sa.Column("told", sa.Text(), nullable=False, server_default=_EMPTY),
        *(sa.Column(name, _Time) for name in ("told_at", "reported_at")),
        sa.PrimaryKeyConstraint("kind", "day", name="pk_slots"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_slots_edition_id"),
        _check("slots", "kind", "kind IN ('issue', 'weekly', 'monthly')"),
        _check("slots", "state", "state IN ('due', 'held', 'published', 'skipped', 'missed')"),
        _check("slots", "why", "why IN ('', 'no issue', 'errors', 'draft', 'trouble', 'late', 'operator')"),
        _check("slots", "why_state", "(state IN ('due', 'published')) = (why = '')"),
        _check("slots", "decided_at", "(state = 'due') = (decided_at IS NULL)"),
        _check("slots", "edition_id", "(state = 'published') = (edition_id IS NOT NULL)"),
        _check("slots", "owner", "owner IS NULL OR state IN ('due', 'held')"),
        _check("slots", "lease_until", "(owner IS NULL) = (lease_until IS NULL)"),
        _check("slots", "reported_at", "reported_at IS NULL OR state = 'published'"),
    )
    _index("ix_slots_open", "slots", ["due_at"], "state IN ('due', 'held')")
    op.create_index("ix_slots_edition_id", "slots", ["edition_id"])


def _make_marks() -> None:
    op.create_table(
        "marks",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("at", _Time, nullable=False),
        sa.Column("text", sa.Text(), nullable=False, server_default=_EMPTY),
        sa.PrimaryKeyConstraint("key", name="pk_marks"),
        _check("marks", "key", "key <> ''"),
    )


def _make_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", _Id, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("key", "body")),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=_ZERO),
        *(sa.Column(name, _Time, nullable=False) for name in ("created_at", "expires_at")),
        sa.Column("next_attempt_at", _Time),
        sa.Column("owner", sa.Text()),
        *(sa.Column(name, _Time) for name in ("lease_until", "settled_at")),
        sa.Column("reply", sa.Text(), nullable=False, server_default=_EMPTY),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.UniqueConstraint("key", name="uq_calls_key"),
        _check("calls", "kind", "kind IN ('webhook', 'heartbeat')"),
        _check("calls", "state", "state IN ('queued', 'calling', 'done', 'failed')"),
        _check("calls", "next_attempt", "(state = 'queued') = (next_attempt_at IS NOT NULL)"),
        _check("calls", "owner", "(state = 'calling') = (owner IS NOT NULL)"),
        _check("calls", "lease_until", "(state = 'calling') = (lease_until IS NOT NULL)"),
        _check("calls", "settled_at", "(state IN ('done', 'failed')) = (settled_at IS NOT NULL)"),
        _check("calls", "attempts", "attempts >= 0"),
        sqlite_autoincrement=True,
    )
    _index("ix_calls_due", "calls", ["next_attempt_at"], "state = 'queued'")


def _make_ledgers() -> None:
    table = op.create_table(
        "ledgers",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        *(sa.Column(name, sa.String(32), nullable=False) for name in ("line", "life")),
        sa.Column("epoch", _Id, nullable=False),
        sa.Column("lives", sa.JSON(), nullable=False),
        sa.Column("copied_at", _Time),
        sa.PrimaryKeyConstraint("id", name="pk_ledgers"),
        _check("ledgers", "id", "id = 1"),
        _check("ledgers", "line", "length(line) = 32 AND length(life) = 32"),
        _check("ledgers", "epoch", "epoch >= 0"),
    )
    # At once, so that every copy ever made has the same name.
    names = {name: secrets.token_hex(16) for name in ("line", "life")}
    op.bulk_insert(table, [{"id": 1, **names, "epoch": 0, "lives": []}])
    op.create_table(
        "fenced",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("noted_at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_fenced"),
        _check("fenced", "key", "key <> ''"),
    )


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _index(name: str, table: str, columns: list[str], rows: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(rows), postgresql_where=sa.text(rows))
