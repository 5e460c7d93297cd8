"""What a mail says that asks to be taken off the list. Pure."""

import re

from newsletter.model.edition import TOKEN_WIDTH

_ASKED = re.compile(rf"unsubscribe[-+]([a-z2-7]{{{TOKEN_WIDTH}}})(?![a-z0-9])", re.IGNORECASE)
_LOOKED_AT = 2000


def parse_leave_request(text: str) -> str | None:
    """Return the token in a subject such as `unsubscribe-TOKEN` (`mail.message`), or in an address, or None.

    What mail programs and people put around it is passed over; of a long text only the beginning is looked at.
    """
    found = _ASKED.search(text[:_LOOKED_AT])
    return found[1].lower() if found else None
