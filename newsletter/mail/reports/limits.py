"""Bounds on what is read of a mail that anybody may have sent."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What is beyond these is not read, and `Report.cut` says so where it was the mail's fault.

    `size` is octets of the whole mail, `parts` and `depth` count MIME parts and how deep they stand in each other,
    `headers` counts the fields of one part, `text` is the characters looked at in one text, `recipients` counts
    findings.
    """

    size: int = 1 << 20
    parts: int = 50
    depth: int = 8
    headers: int = 500
    text: int = 24_000
    recipients: int = 50


LIMITS = Limits()

DIAGNOSTIC_LENGTH = 500
"""Characters kept of what a server said."""

VALUE_LENGTH = 4000
"""Characters looked at in one header field."""

SHOWN_LENGTH = 200
"""Characters kept of a name, an address or a subject."""
