"""Readers choose topics and cadence, editions have variants, and the service writes mail outside editions."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")
_EMPTY, _ZERO = sa.text("''"), sa.text("0")
_CADENCE = "cadence IN ('each', 'weekly', 'monthly')"
_STATES = "state IN ('queued', 'sending', 'deferred', 'sent', 'failed', 'cancelled', 'unknown', 'excluded')"
_SETTLED = "(state IN ('sent', 'failed', 'cancelled', 'unknown', 'excluded')) = (settled_at IS NOT NULL)"


def upgrade() -> None:
    """Let every reader get each issue whole, as so far."""
    _add_choices()
    _make_consents()
    _make_requests()
    _make_variants()
    _change_deliveries()
    _make_throttles()
    _make_notices()
    _make_documents()


def _add_choices() -> None:
    op.add_column("subscribers", sa.Column("topics", sa.Text(), nullable=False, server_default=sa.text("''")))
    check = _check("subscribers", "cadence", _CADENCE)
    cadence = sa.Column("cadence", sa.String(8), check, nullable=False, server_default=sa.text("'each'"))
    op.add_column("subscribers", cadence)
    op.add_column("subscribers", sa.Column("paused_until", _Time))
    check = _check("editions", "kind", "kind IN ('issue', 'weekly', 'monthly')")
    op.add_column("editions", sa.Column("kind", sa.String(8), check, nullable=False, server_default=sa.text("'issue'")))


def _make_consents() -> None:
    events = "'asked', 'confirmed', 'added', 'imported', 'changed', 'moved', 'left', 'suspended', 'restored', 'erased'"
    op.create_table(
        "consents",
        sa.Column("id", _Id, nullable=False),
        sa.Column("subscriber_id", _Id, nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("at", _Time, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''"))
            for name in ("client", "wording", "detail")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name="fk_consents_subscriber_id"),
        _check("consents", "event", f"event IN ({events})"),
        _check("consents", "source", "source <> ''"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consents_subscriber_id", "consents", ["subscriber_id", "id"])


def _make_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", _Id, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("subscriber_id", _Id),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("address_key", sa.String(320), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "topics")),
        sa.Column("cadence", sa.String(8), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("source", "client", "wording")),
        *(sa.Column(name, _Time, nullable=False) for name in ("created_at", "expires_at")),
        sa.Column("confirmed_at", _Time),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name="fk_requests_subscriber_id"),
        _check("requests", "kind", "kind IN ('join', 'move')"),
        _check("requests", "subscriber", "(kind = 'move') = (subscriber_id IS NOT NULL)"),
        _check("requests", "cadence", _CADENCE),
        _check("requests", "expires_at", "expires_at > created_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_requests_address_key", "requests", ["address_key"])
    op.create_index("ix_requests_expires_at", "requests", ["expires_at"])


def _make_variants() -> None:
    op.create_table(
        "variants",
        sa.Column("edition_id", _Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("key", "subject", "preheader", "html", "text")),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "number", name="pk_variants"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_variants_edition_id"),
        sa.UniqueConstraint("edition_id", "key", name="uq_variants_edition_id_key"),
        _check("variants", "number", "number >= 1"),
        _check("variants", "key", "key <> ''"),
        _check("variants", "hash", "length(hash) = 64"),
    )
    op.create_table(
        "works",
        sa.Column("edition_id", _Id, nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "variant", "key", name="pk_works"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_works_edition_id"),
        _check("works", "variant", "variant >= 0"),
    )
    op.create_index("ix_works_key", "works", ["key"])


def _change_deliveries() -> None:
    """Add the variant and the state `excluded`; SQLite can change a rule only by making the table anew."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_deliveries()
        return
    variant = _check("deliveries", "variant", "variant >= 0")
    op.add_column(
        "deliveries", sa.Column("variant", sa.Integer(), variant, nullable=False, server_default=sa.text("0"))
    )
    for name, rule in (("state", _STATES), ("settled_at", _SETTLED)):
        op.drop_constraint(op.f(f"ck_deliveries_{name}"), "deliveries")
        op.create_check_constraint(op.f(f"ck_deliveries_{name}"), "deliveries", rule)


def _rebuild_deliveries() -> None:
    columns: list[sa.Column[Any]] = [
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
        sa.Column("stage", sa.SmallInteger(), nullable=False, server_default=sa.text("2")),
    ]
    names = ", ".join(column.name for column in columns)
    op.create_table(
        "deliveries_new",
        *columns,
        sa.Column("variant", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_deliveries_edition_id"),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name="fk_deliveries_subscriber_id"),
        sa.UniqueConstraint("edition_id", "subscriber_id", name="uq_deliveries_edition_id_subscriber_id"),
        _check("deliveries", "state", _STATES),
        _check("deliveries", "owner", "(state = 'sending') = (owner IS NOT NULL)"),
        _check("deliveries", "lease_until", "(state = 'sending') = (lease_until IS NOT NULL)"),
        _check(
            "deliveries", "next_attempt", "state = 'sending' OR (state = 'deferred') = (next_attempt_at IS NOT NULL)"
        ),
        _check("deliveries", "settled_at", _SETTLED),
        _check("deliveries", "attempts", "attempts >= 0"),
        _check("deliveries", "reply_code", "reply_code BETWEEN 0 AND 999"),
        _check("deliveries", "stage", "stage BETWEEN 0 AND 2"),
        _check("deliveries", "variant", "variant >= 0"),
        sqlite_autoincrement=True,
    )
    op.execute(f"INSERT INTO deliveries_new ({names}) SELECT {names} FROM deliveries ORDER BY id")  # noqa: S608 - constants
    op.drop_table("deliveries")
    op.rename_table("deliveries_new", "deliveries")
    _index("queued", ["edition_id", "stage", "id"], "state = 'queued'")
    _index("deferred", ["edition_id", "next_attempt_at"], "state = 'deferred'")
    _index("sending", ["owner"], "state = 'sending'")
    _index("unknown", ["edition_id", "id"], "state = 'unknown'")
    _index("waiting", ["subscriber_id"], "state IN ('queued', 'deferred')")


def _make_throttles() -> None:
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(320), nullable=False),
        sa.Column("full_at", _Time, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_throttles"),
        _check("throttles", "key", "key <> ''"),
    )
    op.create_index("ix_throttles_full_at", "throttles", ["full_at"])


def _make_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", _Id, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("key", sa.Text()),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("subscriber_id", _Id),
        sa.Column("return_number", sa.BigInteger()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("subject", "text")),
        sa.Column("html", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        *(sa.Column(name, _Time, nullable=False) for name in ("created_at", "expires_at")),
        sa.Column("next_attempt_at", _Time),
        sa.Column("owner", sa.Text()),
        *(sa.Column(name, _Time) for name in ("lease_until", "settled_at")),
        sa.Column("reply", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("key", name="uq_notices_key"),
        _check("notices", "address", "kind <> '' AND address <> ''"),
        _check("notices", "state", "state IN ('queued', 'sending', 'sent', 'failed')"),
        _check("notices", "next_attempt", "(state = 'queued') = (next_attempt_at IS NOT NULL)"),
        _check("notices", "owner", "(state = 'sending') = (owner IS NOT NULL)"),
        _check("notices", "lease_until", "(state = 'sending') = (lease_until IS NOT NULL)"),
        _check("notices", "settled_at", "(state IN ('sent', 'failed')) = (settled_at IS NOT NULL)"),
        _check("notices", "attempts", "attempts >= 0"),
        _check("notices", "return_number", "return_number IS NULL OR subscriber_id IS NOT NULL"),
        sqlite_autoincrement=True,
    )
    rows = sa.text("state = 'queued'")
    op.create_index("ix_notices_due", "notices", ["next_attempt_at"], sqlite_where=rows, postgresql_where=rows)


def _make_documents() -> None:
    op.create_table(
        "documents",
        sa.Column("id", _Id, autoincrement=False, nullable=False),
        sa.Column("edition_id", _Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("topic", sa.String(64), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("identifier", "anchor", "page_slug", "section", "title")
        ),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_documents_edition_id"),
        sa.UniqueConstraint("edition_id", "position", name="uq_documents_edition_id_position"),
        _check("documents", "kind", "kind IN ('issue', 'entry')"),
        _check("documents", "position", "(kind = 'issue') = (position = 0)"),
        _check("documents", "positions", "position BETWEEN 0 AND 65535"),
        _check("documents", "id", "id = edition_id * 65536 + position"),
    )
    op.create_index("ix_documents_identifier", "documents", ["identifier"])
    op.create_index("ix_documents_topic", "documents", ["topic"])
    op.create_table(
        "indexed",
        sa.Column("edition_id", _Id, autoincrement=False, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("source_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("edition_id", name="pk_indexed"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_indexed_edition_id"),
        _check("indexed", "source_hash", "length(source_hash) = 64"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE document_words USING "
            "fts5(title, authors, section, identifier, body, tokenize='ascii')"
        )
        return
    op.execute(
        "CREATE TABLE document_words (id bigint CONSTRAINT pk_document_words PRIMARY KEY CONSTRAINT "
        "fk_document_words_id REFERENCES documents (id) ON DELETE CASCADE, words tsvector NOT NULL)"
    )
    op.execute("CREATE INDEX ix_document_words_words ON document_words USING gin (words) WITH (fastupdate = off)")


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _index(name: str, columns: list[str], rows: str) -> None:
    where = sa.text(rows)
    op.create_index(f"ix_deliveries_{name}", "deliveries", columns, sqlite_where=where, postgresql_where=where)
