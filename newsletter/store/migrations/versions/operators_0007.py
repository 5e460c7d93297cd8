"""Who may use the admin pages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "operators",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("changed_at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_operators"),
        _check("operators", "one", "id = 1"),
        _check("operators", "password_hash", "password_hash LIKE '$argon2id$%'"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", _Id, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("opened_at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        _check("sessions", "digest", "length(digest) = 64"),
        sqlite_autoincrement=True,
    )


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))
