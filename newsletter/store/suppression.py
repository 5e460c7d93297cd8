"""Suppressions: addresses that stay out, even after their reader is erased and the list is imported again.

Owns how an address is remembered when nothing else of it may be: by the SHA-256 of its key. Both engines compute it in
SQL too, so that a suppressed reader is left out where the rows are.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Connection, Exists, String, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from newsletter.model.subscriber import SuppressionReason
from newsletter.store.schema import suppressions

_CHUNK = 5000
"""Addresses asked about in one statement."""


class _Hash(FunctionElement[str]):
    """`hash_key` in SQL: PostgreSQL has it built in, and `database` gives it to SQLite."""

    type = String()
    inherit_cache = True


@compiles(_Hash, "sqlite")
def _compile_for_sqlite(element: _Hash, compiler: SQLCompiler, **options: Any) -> str:
    return f"sha256_hex({compiler.process(element.clauses, **options)})"


@compiles(_Hash, "postgresql")
def _compile_for_postgresql(element: _Hash, compiler: SQLCompiler, **options: Any) -> str:
    return f"encode(sha256(convert_to({compiler.process(element.clauses, **options)}, 'UTF8')), 'hex')"


def hash_key(address_key: str) -> str:
    """Return what a suppression remembers of an address: SHA-256 (hex) of its key."""
    return sha256(address_key.encode()).hexdigest()


def is_suppressed(address_key: ColumnElement[str]) -> Exists:
    """Return the SQL condition that the address with this key stays out."""
    return select(1).where(suppressions.c.address_hash == _Hash(address_key)).exists()


def find_suppressed(connection: Connection, address_keys: Iterable[str]) -> set[str]:
    """Return those of the keys whose addresses stay out."""
    if connection.execute(select(1).select_from(suppressions).limit(1)).one_or_none() is None:
        return set()
    hashes = {hash_key(key): key for key in address_keys}
    wanted = list(hashes)
    found: set[str] = set()
    for start in range(0, len(wanted), _CHUNK):
        statement = select(suppressions.c.address_hash)
        statement = statement.where(suppressions.c.address_hash.in_(wanted[start : start + _CHUNK]))
        found.update(hashes[item] for item in connection.execute(statement).scalars())
    return found


def find_reason(connection: Connection, address_key: str) -> SuppressionReason | None:
    """Return why an address stays out, or None."""
    statement = select(suppressions.c.reason).where(suppressions.c.address_hash == hash_key(address_key))
    reason = connection.execute(statement).scalar_one_or_none()
    return None if reason is None else SuppressionReason(reason)


def suppress(
    connection: Connection, addresses: Sequence[tuple[str, str]], reason: SuppressionReason, now: datetime
) -> None:
    """Keep addresses out, each given as (key, wire form); one that stays out already keeps its first reason."""
    rows = [
        {"address_hash": hash_key(key), "address": wire, "reason": reason, "created_at": now} for key, wire in addresses
    ]
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(suppressions).on_conflict_do_nothing(), rows)


def lift_suppressions(connection: Connection, address_keys: Iterable[str]) -> None:
    """Let addresses in again, up to some hundred of them."""
    hashes = [hash_key(key) for key in address_keys]
    connection.execute(delete(suppressions).where(suppressions.c.address_hash.in_(hashes)))


def lift_suppression(connection: Connection, address_key: str) -> bool:
    """Let an address in again; return whether it was kept out."""
    statement = delete(suppressions).where(suppressions.c.address_hash == hash_key(address_key))
    return connection.execute(statement).rowcount > 0
