"""What a failed delivery means: reason and severity, from words, enhanced status and basic code.

"5.x.x" is not "hard": servers give 550 5.1.1 to a spammer and 554 to a full mailbox. Words count first, then a status
that tells something by itself, then vaguer words, and what the code is known for comes last.

Decided here: hard is only what says that the address isn't there. Disabled, full or closed to us may change, so it is
soft, and the policy over history has the last word. A temporary reply is never hard, even if the mail expired over it:
greylisting and servers being moved say "unknown" and mean "later". A server that took the address and calls it unknown
once it has the whole mail doesn't mean the address, either: that is how mobile carriers' filters refuse.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from newsletter.mail.reports import codes
from newsletter.mail.reports import phrases_mailbox as mailbox
from newsletter.mail.reports import phrases_sender as sender
from newsletter.mail.reports import phrases_system as system
from newsletter.mail.reports import phrases_unknown as unknown
from newsletter.mail.reports.matching import Said, find_reason, has_phrase, make_book, make_phrases, normalise
from newsletter.model.bounce import Reason, Severity

HARD = frozenset({Reason.USER_UNKNOWN, Reason.MOVED, Reason.HOST_UNKNOWN, Reason.NO_MAIL_HOST})

_TELLING = (
    unknown.NULL_MX,
    sender.RATE_LIMITED,
    mailbox.MAILBOX_FULL,
    sender.TOO_LARGE,
    sender.GREYLISTED,
    system.LOOP,
    sender.AUTHENTICATION,
    sender.REPUTATION,
    mailbox.MAILBOX_DISABLED,
    sender.SENDER_REFUSED,
    mailbox.FILTERED,
    sender.RELAYING_DENIED,
    system.LOOKUP_FAILED,
    system.AMBIGUOUS,
    unknown.NO_MAIL_HOST,
    unknown.MOVED,
    unknown.HOST_UNKNOWN,
    unknown.USER_UNKNOWN,
    sender.ENCRYPTION,
    sender.VIRUS,
    sender.SPAM,
    sender.CONTENT,
    sender.NOT_COMPLIANT,
    system.SYSTEM_FULL,
)
_VAGUE = (
    sender.POLICY,
    unknown.USER_UNKNOWN_VAGUE,
    system.EXPIRED,
    system.NETWORK,
    system.SYSTEM,
    sender.REFUSED,
    system.PROTOCOL,
)
_TELLING_BOOK = make_book(_TELLING)
_VAGUE_BOOK = make_book(_VAGUE)
_TEXT_LENGTH = 1500
_NAMED_HOST = re.compile(
    r"\b(host|server|talking to|connected to|by|at)\s+(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}\b\.?(?!/)", re.IGNORECASE
)
_HOST_WITH_IP = re.compile(r"(?<![\w.@/-])(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}\.?\s?(?=[\[(]\d{1,3}\.\d)", re.IGNORECASE)
_AFTER_DATA = make_phrases(
    """
in reply to end of data | after end of data | after data | end of data | failed after i sent the message
in reply to data | after body | >>> data | generated response: data | smtp:data | following data command
for text command | >>> . | (state 17) | (state 18) | (state 15) | after sending the message | bdat | smtp command data
"""
)
_AFTER_RCPT = make_phrases(
    "in reply to rcpt | after rcpt | >>> rcpt | rcpt to command | smtp:rcpt | does not like recipient | (state 14)"
)
_TERSELY_UNKNOWN = make_phrases(
    "user unknown | unknown user | : user unknown | no such user | user not found | unknown recipient"
)
_DISABLED = make_phrases(
    "user(s) account is disabled | user(s) account is temporarily limited | user(s) account is temporarily over"
)
"""What a carrier's servers explain before they quote a plain "user unknown"."""

_REJECTED = make_phrases("recipient address rejected | recipient rejected | recipient refused | address rejected")
_TRY_AGAIN = make_phrases("try again | temporar | deferred")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one failed delivery, the texts from the most to the least telling.

    At most three texts count: what a server said of this very recipient, what stands beside it, and the whole.
    """

    texts: Sequence[str] = ()
    status: str = ""
    code: int = 0
    hint: Reason | None = None
    """What the reporting system itself thinks, for when its words don't tell."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A reason and its severity, with the codes that were found on the way."""

    reason: Reason
    severity: Severity
    status: str
    code: int


def judge(evidence: Evidence) -> Judgement:
    """Judge one failed delivery; never undecided, though it may be `undetermined`."""
    texts = [text[:_TEXT_LENGTH] for text in evidence.texts]
    first = texts[0] if texts else ""
    code = evidence.code or codes.find_code(first)
    status = _choose_status(evidence.status, codes.find_status(first))
    reason = _find_reason(texts, status, code, evidence.hint)
    if reason is Reason.USER_UNKNOWN and not status.startswith("5.1.") and _was_filtered(texts):
        reason = Reason.FILTERED
    if reason is Reason.USER_UNKNOWN and status[2:4] == "7." and _is_only_rejected(texts):
        reason = Reason.FILTERED
    if reason is Reason.USER_UNKNOWN and any(has_phrase(_read(text), _DISABLED) for text in texts if "(s)" in text):
        reason = Reason.MAILBOX_DISABLED
    return Judgement(reason, judge_severity(reason, status, code, first), status, code)


def tells_reason(text: str) -> bool:
    """Return whether a text has words that tell why a mail failed."""
    return _find_telling(text[:_TEXT_LENGTH]) is not None


def judge_severity(reason: Reason, status: str, code: int, text: str) -> Severity:
    """Return how bad a failure is. A temporary reply is never hard."""
    if reason not in HARD:
        return Severity.SOFT
    temporary = code // 100 == 4 if code else status.startswith("4")
    if reason is Reason.HOST_UNKNOWN and temporary:  # a name that wasn't found for days isn't there
        temporary = has_phrase(_read(text), _TRY_AGAIN)
    return Severity.SOFT if temporary else Severity.HARD


def _find_reason(texts: Sequence[str], status: str, code: int, hint: Reason | None) -> Reason:
    """Ask in this order: telling words, a telling status, telling words beside it, vaguer words; then the codes."""
    said, beside, around = (*texts[:3], "", "", "")[:3]
    return (
        _find_telling(said)
        or codes.judge_status(status)
        or _find_telling(beside)
        or hint
        or _find_vague(said)
        or _find_vague(beside)
        or _find_telling(around)
        or _find_vague(around)
        or codes.judge_vague_status(status)
        or codes.judge_code(code)
        or Reason.UNDETERMINED
    )


def _find_telling(text: str) -> Reason | None:
    return _search_telling(_read(text)) if text else None


def _find_vague(text: str) -> Reason | None:
    return _search_vague(_read(text)) if text else None


@lru_cache(maxsize=256)
def _search_telling(said: Said) -> Reason | None:
    """Search a comparable text. Kept: a server says the same to many readers, but for their addresses."""
    return find_reason(said, _TELLING, _TELLING_BOOK)


@lru_cache(maxsize=256)
def _search_vague(said: Said) -> Reason | None:
    return find_reason(said, _VAGUE, _VAGUE_BOOK)


@lru_cache(maxsize=16)
def _read(text: str) -> Said:
    """Make a text comparable. Kept: what stands around is the same for all of a mail."""
    return normalise(_drop_hosts(text))


def _choose_status(reported: str, said: str) -> str:
    """Return the status to believe: the server's own where the report's says less."""
    if not said or not reported:
        return said or reported
    says_less = reported.endswith(".0.0") or (codes.is_vague(reported) and not codes.is_vague(said))
    return said if says_less else reported


def _is_only_rejected(texts: Sequence[str]) -> bool:
    """Return whether a recipient is called rejected, and no more: with a policy's status that says nothing of whether
    it exists.
    """
    return not any(_find_telling(text) for text in texts) and any(has_phrase(_read(text), _REJECTED) for text in texts)


def _was_filtered(texts: Sequence[str]) -> bool:
    """Return whether a terse "unknown" came after the recipient had been accepted."""
    for said in map(_read, filter(None, texts)):
        if has_phrase(said, _AFTER_RCPT):
            return False
        if has_phrase(said, _AFTER_DATA):
            return any(has_phrase(_read(text), _TERSELY_UNKNOWN) for text in texts)
    return False


def _drop_hosts(text: str) -> str:
    """Take out names of hosts: `antispam.example.com` says nothing about spam."""
    return _NAMED_HOST.sub(r"\1 host", _HOST_WITH_IP.sub("", text))
