"""The tables, and every rule that one row can be held to: a state that makes no sense can't be written.

`migrations/` builds the same shape step by step, and a test compares the two on both engines.
"""

from newsletter.store.schema.base import Id, UtcTime, metadata
from newsletter.store.schema.bounces import bounces, reports
from newsletter.store.schema.ledger import deliveries, editions, revisions, variants, works
from newsletter.store.schema.operators import operators, sessions
from newsletter.store.schema.readers import consents, join_topics, requests, subscribers, suppressions
from newsletter.store.schema.search import documents, indexed
from newsletter.store.schema.service import notices, paces, throttles
from newsletter.store.schema.slots import calls, fenced, ledgers, marks, slots

__all__ = [
    "Id",
    "UtcTime",
    "bounces",
    "calls",
    "consents",
    "deliveries",
    "documents",
    "editions",
    "fenced",
    "indexed",
    "join_topics",
    "ledgers",
    "marks",
    "metadata",
    "notices",
    "operators",
    "paces",
    "reports",
    "requests",
    "revisions",
    "sessions",
    "slots",
    "subscribers",
    "suppressions",
    "throttles",
    "variants",
    "works",
]
