"""What the program writes down about itself: one line an event, with names and numbers as fields.

Owns the form of the lines (only importer of structlog), and that no address and no link of a reader stands in one:
events name editions and deliveries by their numbers. Standard error, so that a command's output stays its own.
"""

import logging
import re
import sys
from datetime import datetime
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

Form = Literal["json", "text"]
Logger = structlog.stdlib.BoundLogger

_ADDRESS = re.compile(r"[^\s<>@\"'(),;:]+@[^\s<>@\"'(),;:]+")
_TOKEN = re.compile(r"/([upc])/[A-Za-z0-9_-]{16,}")


def get_logger(name: str) -> Logger:
    """Return a logger; its events are words, its fields keyword arguments."""
    return structlog.stdlib.get_logger(name)


def start_logging(form: Form, level: str = "info", *, addresses: bool = False, stream: TextIO | None = None) -> None:
    """Write events to standard error: as JSON for machines, or as text for people.

    Addresses of readers, which a server's reply may hold, are left out unless `addresses` wants them.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _write_times,
        *([] if addresses else [_leave_out_readers]),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=(stream or sys.stderr).isatty(), exception_formatter=_plain_exception)
    )
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, last]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for talkative in ("apscheduler", "alembic"):
        logging.getLogger(talkative).setLevel(max(logging.WARNING, root.level))


def _write_times(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Write times as ISO 8601, in either form."""
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in event.items()}


def _leave_out_readers(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Put `…@…` in place of anything that looks like an address, wherever it stands, and take tokens out of links."""
    return {key: hide_readers(value) if isinstance(value, str) else value for key, value in event.items()}


def hide_readers(text: str) -> str:
    """Return a text without addresses and personal links."""
    return _TOKEN.sub(r"/\1/…", _ADDRESS.sub("…@…", text))


def _plain_exception(stream: TextIO, info: Any) -> None:
    structlog.dev.plain_traceback(stream, info)


# Before anybody has started to log: warnings alone, as one plain line, as the standard library does.
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        _write_times,
        _leave_out_readers,
        structlog.processors.KeyValueRenderer(key_order=["event"], repr_native_str=False),
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=False,
)
