"""What is kept of how fast mail went."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_Time = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "paces",
        sa.Column("key", sa.String(320), nullable=False),
        sa.Column("updated_at", _Time, nullable=False),
        *(sa.Column(name, _Time) for name in ("second_full_at", "hour_full_at", "day_full_at")),
        sa.Column("rate", sa.Float()),
        sa.Column("ceiling", sa.Float()),
        *(sa.Column(name, _Time) for name in ("cut_at", "changed_at")),
        sa.PrimaryKeyConstraint("key", name="pk_paces"),
        _check("key", "key <> ''"),
        _check("rate", "rate IS NULL OR rate > 0"),
        _check("ceiling", "ceiling IS NULL OR (rate IS NOT NULL AND ceiling > 0)"),
        _check("cut_at", "(rate IS NULL) = (cut_at IS NULL)"),
        _check("changed_at", "(rate IS NULL) = (changed_at IS NULL)"),
    )


def _check(name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_paces_{name}"))
