"""What a mail is known by, so that it counts once whichever way it came in. Pure."""

import re
from hashlib import sha256
from typing import Final

from newsletter.mail.reports.limits import LIMITS
from newsletter.model.bounce import Report

_TRACE: Final = re.compile(
    rb"\A(?:>?From [^\n]*\n)?(?:(?:return-path|received|delivered-to|envelope-to|x-original-to|x-envelope-to)[ \t]*:"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*)*",
    re.IGNORECASE,
)


def digest_mail(raw: bytes, report: Report) -> str:
    """Return the hash of a mail and of whom it names, without the trace fields that each way in puts on top of it.

    **Limit.** Two mails that differ in their trace alone are one; a server that changes anything else makes two.
    """
    text = _TRACE.sub(b"", raw[: LIMITS.size].replace(b"\r\n", b"\n"), 1).rstrip(b"\n")
    named = f"{report.named.subscriber_id} {report.named.edition_id}" if report.named else ""
    return sha256(f"{named} {report.notice}\n".encode() + text).hexdigest()
