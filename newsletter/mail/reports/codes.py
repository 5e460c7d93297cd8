"""Codes in a reply: what the enhanced status (RFC 3463, 5248) and the basic code (RFC 5321) say when no words do.

Owns reading them out of text, and a table of those that tell a reason by themselves. Many don't: 5.0.0, 5.7.1 or a bare
550 stand for anything.
"""

import re

from newsletter.model.bounce import Reason

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_STATUS_LAST = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})\.?(?=\s|[)\]>;:,]|$)")
_CODE_FIRST = re.compile(r"\A[\s\"'#<(\[]*([245][0-7]\d)(?=[\s\-#.:;,)]|$)")
_CODE = re.compile(
    r"(?:said|says|returned|responded|response|with|was|is|error|code|reply|reason|:|;|<<<|\]|\(|\[|\"|')"
    r"[\s:;#\"'(\[]{0,4}([45][0-7]\d)(?=[\s\-#:;,)]|$)",
    re.IGNORECASE,
)
_CODE_BEFORE_STATUS = re.compile(r"(?<!\d)([245][0-7]\d)[ \-]{1,2}#?[245]\.\d{1,3}\.\d{1,3}(?![\d.])")

_VAGUE = frozenset(
    {"0.0", "1.0", "2.0", "2.4", "3.0", "4.0", "5.0", "5.1", "5.2", "5.4", "6.0", "7.0", "7.1", "1.9"},
)
_BY_STATUS: dict[str, Reason] = {
    "1.1": Reason.USER_UNKNOWN,
    "1.2": Reason.HOST_UNKNOWN,
    "1.3": Reason.USER_UNKNOWN,
    "1.4": Reason.SYSTEM,
    "1.6": Reason.MOVED,
    "1.7": Reason.SENDER_REFUSED,
    "1.8": Reason.SENDER_REFUSED,
    "1.10": Reason.NO_MAIL_HOST,
    "2.1": Reason.MAILBOX_DISABLED,
    "2.2": Reason.MAILBOX_FULL,
    "2.3": Reason.TOO_LARGE,
    "3.1": Reason.SYSTEM_FULL,
    "3.2": Reason.NO_MAIL_HOST,
    "3.3": Reason.SYSTEM,
    "3.4": Reason.TOO_LARGE,
    "3.5": Reason.SYSTEM,
    "4.1": Reason.NETWORK,
    "4.2": Reason.NETWORK,
    "4.3": Reason.SYSTEM,
    "4.4": Reason.HOST_UNKNOWN,
    "4.5": Reason.SYSTEM,
    "4.6": Reason.LOOP,
    "4.7": Reason.EXPIRED,
    "4.14": Reason.LOOP,
    "4.300": Reason.EXPIRED,
    "4.310": Reason.HOST_UNKNOWN,
    "4.312": Reason.NETWORK,
    "4.316": Reason.NETWORK,
    "5.3": Reason.RATE_LIMITED,
    "5.5": Reason.PROTOCOL,
    "5.6": Reason.PROTOCOL,
    "6.1": Reason.CONTENT,
    "6.2": Reason.CONTENT,
    "6.3": Reason.CONTENT,
    "6.5": Reason.CONTENT,
    "6.6": Reason.CONTENT,
    "6.7": Reason.NOT_COMPLIANT,
    "6.8": Reason.NOT_COMPLIANT,
    "6.9": Reason.NOT_COMPLIANT,
    "6.11": Reason.NOT_COMPLIANT,
    "7.2": Reason.FILTERED,
    "7.3": Reason.ENCRYPTION,
    "7.4": Reason.ENCRYPTION,
    "7.5": Reason.ENCRYPTION,
    "7.6": Reason.ENCRYPTION,
    "7.7": Reason.ENCRYPTION,
    "7.8": Reason.POLICY,
    "7.9": Reason.POLICY,
    "7.10": Reason.ENCRYPTION,
    "7.11": Reason.ENCRYPTION,
    "7.12": Reason.FILTERED,
    "7.13": Reason.MAILBOX_DISABLED,
    "7.17": Reason.MOVED,
    "7.18": Reason.MOVED,
    "7.25": Reason.AUTHENTICATION,
    "7.27": Reason.SENDER_REFUSED,
    "7.28": Reason.RATE_LIMITED,
    "7.64": Reason.RELAYING_DENIED,
    "7.123": Reason.FILTERED,
    "7.124": Reason.FILTERED,
    "7.129": Reason.FILTERED,
    "7.133": Reason.FILTERED,
    "7.134": Reason.FILTERED,
    "7.135": Reason.FILTERED,
    "7.136": Reason.FILTERED,
    "7.509": Reason.AUTHENTICATION,
    "7.515": Reason.AUTHENTICATION,
}
_AUTHENTICATION = range(20, 33)
_MICROSOFT_BANS = range(500, 900)

_BY_CODE: dict[int, Reason] = {
    421: Reason.SYSTEM,
    422: Reason.MAILBOX_FULL,
    431: Reason.SYSTEM_FULL,
    432: Reason.SYSTEM,
    441: Reason.NETWORK,
    442: Reason.NETWORK,
    446: Reason.LOOP,
    447: Reason.EXPIRED,
    450: Reason.SYSTEM,
    451: Reason.SYSTEM,
    452: Reason.SYSTEM_FULL,
    500: Reason.PROTOCOL,
    501: Reason.PROTOCOL,
    502: Reason.PROTOCOL,
    503: Reason.PROTOCOL,
    504: Reason.PROTOCOL,
    511: Reason.USER_UNKNOWN,
    512: Reason.HOST_UNKNOWN,
    521: Reason.NO_MAIL_HOST,
    523: Reason.TOO_LARGE,
    530: Reason.POLICY,
    535: Reason.POLICY,
    541: Reason.SPAM,
    551: Reason.USER_UNKNOWN,
    552: Reason.MAILBOX_FULL,
    555: Reason.PROTOCOL,
    556: Reason.NO_MAIL_HOST,
    571: Reason.POLICY,
}


def find_status(text: str) -> str:
    """Return the most telling enhanced status in a text, the first of equals; '' for none."""
    found = [f"{cls}.{subject}.{detail}" for cls, subject, detail in _STATUS_LAST.findall(text)]
    failures = [status for status in found if status[0] != "2"]
    return next((status for status in failures if status[2:] not in _VAGUE), failures[0] if failures else "")


def read_status(value: str) -> str:
    """Return the status in a Status field (`5.1.1 (bad mailbox)`), or ''."""
    found = _STATUS.search(value)
    return f"{found[1]}.{int(found[2])}.{int(found[3])}" if found else ""


def find_code(text: str) -> int:
    """Return the SMTP code of a reply that a text is or quotes; 0 for none."""
    found = _CODE_FIRST.match(text) or _CODE_BEFORE_STATUS.search(text) or _CODE.search(text)
    return int(found[1]) if found else 0


def is_vague(status: str) -> bool:
    """Return whether a status tells no reason by itself."""
    return not status or status[2:] in _VAGUE


def judge_status(status: str) -> Reason | None:
    """Return the reason that an enhanced status tells by itself, if it does."""
    if is_vague(status):
        return None
    known = _BY_STATUS.get(status[2:])
    if known is not None or not status[2:].startswith("7."):
        return _adjust(known, status)
    detail = int(status[4:])
    if detail in _AUTHENTICATION:
        return Reason.AUTHENTICATION
    return Reason.REPUTATION if detail in _MICROSOFT_BANS else Reason.POLICY


def _adjust(reason: Reason | None, status: str) -> Reason | None:
    """Return what a code means that says less when it is temporary.

    4.3.2 is "busy" and 5.3.2 "never"; 5.4.4 is a domain without any host for mail (RFC 3463 section 3.5), 4.4.4 may be
    a directory that doesn't answer.
    """
    if reason is Reason.NO_MAIL_HOST and status.startswith("4"):
        return Reason.SYSTEM
    if status == "4.4.4":
        return Reason.NETWORK
    return reason


def judge_vague_status(status: str) -> Reason | None:
    """Return what is left to say of a status when neither words nor details tell: its subject (RFC 3463 section 3)."""
    return _BY_SUBJECT.get(status[2:3]) if status and status[2:] not in ("0.0", "") else None


_BY_SUBJECT: dict[str, Reason] = {
    "1": Reason.USER_UNKNOWN,
    "2": Reason.FILTERED,
    "3": Reason.SYSTEM,
    "4": Reason.NETWORK,
    "5": Reason.PROTOCOL,
    "6": Reason.CONTENT,
    "7": Reason.POLICY,
}


def judge_code(code: int) -> Reason | None:
    """Return the reason that a basic code tells by itself, if it does: 550, 553 and 554 don't."""
    return _BY_CODE.get(code)
