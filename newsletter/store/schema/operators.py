"""Who may use the admin pages: one password, and the browsers that have shown it."""

from sqlalchemy import CheckConstraint, Column, Integer, String, Table, Text, UniqueConstraint

from newsletter.store.schema.base import Id, UtcTime, metadata

# One row at most: without it, there are no admin pages.
operators = Table(
    "operators",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("password_hash", Text, nullable=False),  # argon2's own form, with its parameters and salt
    Column("changed_at", UtcTime, nullable=False),
    CheckConstraint("id = 1", name="one"),
    CheckConstraint("password_hash LIKE '$argon2id$%'", name="password_hash"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", String(64), nullable=False),  # SHA-256 (hex) of the secret, which only the browser has
    Column("opened_at", UtcTime, nullable=False),
    UniqueConstraint("digest"),
    CheckConstraint("length(digest) = 64", name="digest"),
    sqlite_autoincrement=True,  # a cookie holds the number
)
