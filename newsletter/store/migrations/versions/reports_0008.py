"""When the editor was told what became of an edition, whoever published it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_Time = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")

# What is over isn't told of now. What is under way is, and so is what a slot waits to report.
_OVER = """
UPDATE editions SET reported_at = updated_at
WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE edition_id = editions.id AND state IN ('queued', 'sending'))
AND NOT EXISTS (SELECT 1 FROM slots WHERE edition_id = editions.id AND reported_at IS NULL)
"""


def upgrade() -> None:
    """Add the column."""
    op.add_column("editions", sa.Column("reported_at", _Time))
    op.execute(_OVER)
    rows = sa.text("reported_at IS NULL")
    op.create_index("ix_editions_unreported", "editions", ["id"], sqlite_where=rows, postgresql_where=rows)
