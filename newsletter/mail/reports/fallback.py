"""flufl.bounce, asked last: whether it knows a recipient where nothing else was found (only importer of it).

Owns what it gets to see: sender, subject and bounded words as one plain text, never the raw mail, so that it is as
bounded as everything else. What it thinks of severity isn't asked.
"""

import logging
from email.message import Message

from newsletter.mail.reports.addresses import find_address

_MAX_LINES = 100
_TEXT_LENGTH = 5000

logging.getLogger("flufl.bounce").disabled = True  # it would log what a mail made it stumble over


def find_recipients(sender: str, subject: str, text: str) -> list[str]:
    """Return the recipients that flufl.bounce finds in a bounce's words, sorted."""
    from flufl.bounce import all_failures  # it takes as long to load as all the rest, and few mails need it

    message = Message()
    message["From"] = sender.encode("ascii", "replace").decode() or "MAILER-DAEMON"
    message["Subject"] = subject.encode("ascii", "replace").decode()
    message["Content-Type"] = "text/plain"
    lines = [line for line in text[:_TEXT_LENGTH].split("\n") if line.strip()][:_MAX_LINES]
    message.set_payload("\n".join(lines).encode("ascii", "replace").decode())
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # its detectors meet whatever strangers write, and a report must come out in any case
        return []
    found = (find_address(address.decode("ascii", "replace")) for address in {*temporary, *permanent})
    return sorted({address for address in found if address})
