"""What came back, and what it taught us."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _make_reports()
    _make_bounces()
    rows = sa.text("state = 'failed'")
    op.create_index("ix_deliveries_failed", "deliveries", ["id"], sqlite_where=rows, postgresql_where=rows)


def _make_reports() -> None:
    op.create_table(
        "reports",
        sa.Column("id", _Id, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("arrived_at", _Time, nullable=False),
        sa.Column("way", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("form", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("subscriber_id", _Id),
        sa.Column("edition_id", sa.BigInteger()),
        sa.Column("named_by", sa.String(16), nullable=False, server_default=sa.text("''")),
        sa.Column("sender", sa.String(320), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("raw", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name="fk_reports_subscriber_id"),
        sa.UniqueConstraint("hash", name="uq_reports_hash"),
        _check("reports", "hash", "length(hash) = 64"),
        _check("reports", "way", "way <> '' AND kind <> ''"),
        _check("reports", "state", "state IN ('read', 'kept', 'forwarded')"),
        _check("reports", "raw", "state <> 'kept' OR raw IS NOT NULL"),
        _check("reports", "size", "size >= 0"),
        sqlite_autoincrement=True,
    )
    rows = sa.text("state = 'kept'")
    op.create_index("ix_reports_kept", "reports", ["id"], sqlite_where=rows, postgresql_where=rows)
    op.create_index("ix_reports_arrived_at", "reports", ["arrived_at"])


def _make_bounces() -> None:
    verdicts = "'noted', 'counted', 'warn', 'probe', 'suspend', 'complaint', 'leave'"
    op.create_table(
        "bounces",
        sa.Column("id", _Id, nullable=False),
        sa.Column("subscriber_id", _Id, nullable=False),
        sa.Column("edition_id", sa.BigInteger()),
        sa.Column("report_id", _Id),
        sa.Column("delivery_id", _Id),
        sa.Column("at", _Time, nullable=False),
        sa.Column("reason", sa.String(24), nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("diagnostic", sa.Text(), nullable=False),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("undone_at", _Time),
        sa.PrimaryKeyConstraint("id", name="pk_bounces"),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name="fk_bounces_subscriber_id"),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_bounces_report_id"),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="fk_bounces_delivery_id"),
        sa.UniqueConstraint("report_id", name="uq_bounces_report_id"),
        sa.UniqueConstraint("delivery_id", name="uq_bounces_delivery_id"),
        _check("bounces", "cause", "(report_id IS NULL) <> (delivery_id IS NULL)"),
        _check("bounces", "severity", "severity IN ('hard', 'soft', 'none')"),
        _check("bounces", "verdict", f"verdict IN ({verdicts})"),
        _check("bounces", "code", "code BETWEEN 0 AND 999"),
        _check("bounces", "reason", "reason <> ''"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bounces_subscriber_id", "bounces", ["subscriber_id", "id"])
    op.create_index("ix_bounces_at", "bounces", ["at"])


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))
