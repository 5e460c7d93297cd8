"""Control of an edition under way, stages of its deliveries, and a quick way to those whose end is unknown."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_Time = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Let every edition run, and put every delivery into the last stage: what was so far."""
    _add_control()
    _add_stages()


def _add_control() -> None:
    op.add_column(
        "editions",
        sa.Column(
            "control",
            sa.String(16),
            _check("editions", "control", "control IN ('running', 'paused', 'cancelled', 'halted')"),
            _check("editions", "control_published", "control = 'running' OR state = 'published'"),
            nullable=False,
            server_default=sa.text("'running'"),
        ),
    )
    op.add_column(
        "editions",
        sa.Column(
            "control_reason",
            sa.Text(),
            _check(
                "editions",
                "control_reason",
                "(control <> 'halted' OR control_reason <> '') AND (control <> 'running' OR control_reason = '')",
            ),
            nullable=False,
            server_default=sa.text("''"),
        ),
    )
    at = _check("editions", "control_at", "control = 'running' OR control_at IS NOT NULL")
    op.add_column("editions", sa.Column("control_at", _Time, at))


def _add_stages() -> None:
    stage = _check("deliveries", "stage", "stage BETWEEN 0 AND 2")
    column = sa.Column("stage", sa.SmallInteger(), stage, nullable=False, server_default=sa.text("2"))
    op.add_column("deliveries", column)
    op.drop_index("ix_deliveries_queued", "deliveries")
    _index("ix_deliveries_queued", ["edition_id", "stage", "id"], "state = 'queued'")
    _index("ix_deliveries_unknown", ["edition_id", "id"], "state = 'unknown'")


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    # SQLite can add a rule to a table that is there only together with a column.
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _index(name: str, columns: list[str], rows: str) -> None:
    op.create_index(name, "deliveries", columns, sqlite_where=sa.text(rows), postgresql_where=sa.text(rows))
