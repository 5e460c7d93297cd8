"""A bounce's findings: what status fields say, what words say, and what both together mean.

Owns putting them together. Status fields name recipients and codes; the words beside a recipient explain what the
codes leave open. Without status fields the words have to do, then the returned mail's own recipient.
"""

import re
from dataclasses import dataclass

from newsletter.mail.reports.addresses import find_address, find_addresses, is_robot
from newsletter.mail.reports.dsn import SIGN, Status, parse_statuses
from newsletter.mail.reports.fallback import find_recipients
from newsletter.mail.reports.fields import clean, decode_words
from newsletter.mail.reports.judge import Evidence, judge, tells_reason
from newsletter.mail.reports.limits import DIAGNOSTIC_LENGTH, SHOWN_LENGTH, Limits
from newsletter.mail.reports.matching import has_phrase, normalise
from newsletter.mail.reports.phrases_system import DELAYED, DONE_TRYING, GIVEN_UP
from newsletter.mail.reports.plain import Mention, find_any, find_mentions
from newsletter.mail.reports.signs import STATUS_KINDS
from newsletter.mail.reports.structure import Part, decode_part, walk_parts
from newsletter.mail.reports.text import Words
from newsletter.model.bounce import Action, Finding, Reason, Severity

_ARRIVED = frozenset({Action.DELIVERED, Action.RELAYED, Action.EXPANDED})
_REMOTE = re.compile(
    r"(?:\bhost|talking to|connected to|remote host|giving up on|server|rejected by|mta)[ :]+<?"
    r"((?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}|\d{1,3}(?:\.\d{1,3}){3})",
    re.IGNORECASE,
)
_QUOTED_REPLY = re.compile(
    r"(?:\bsaid|\bsays|\breplied|\brespon\w{1,9}|\breturned|<<<)[ \t:'\"\[(]{1,6}([45]\d\d[ -][^\n]{8,400})",
    re.IGNORECASE,
)
_CATEGORIES = {
    "bad-mailbox": Reason.USER_UNKNOWN,
    "bad-domain": Reason.HOST_UNKNOWN,
    "inactive-mailbox": Reason.MAILBOX_DISABLED,
    "quota-issues": Reason.MAILBOX_FULL,
    "spam-related": Reason.SPAM,
    "spam-block": Reason.SPAM,
    "virus-related": Reason.VIRUS,
    "policy-related": Reason.POLICY,
    "content-related": Reason.CONTENT,
    "invalid-sender": Reason.SENDER_REFUSED,
    "relaying-issues": Reason.RELAYING_DENIED,
    "protocol-errors": Reason.PROTOCOL,
    "message-expired": Reason.EXPIRED,
    "bad-connection": Reason.NETWORK,
    "no-answer-from-host": Reason.NETWORK,
    "routing-errors": Reason.NETWORK,
    "bad-configuration": Reason.SYSTEM,
}
"""PowerMTA's X-PowerMTA-BounceCategory."""

_REASON_FIRST = re.compile(r"(?:delivery failure|returned mail|warning|notice|delivery notification):|user ", re.I)
"""Subjects that give a reason behind their colon, as Domino's and Sendmail's do."""

_RECIPIENT_FIELDS = ("to", "cc", "x-original-to", "delivered-to", "envelope-to", "x-rcpt-to", "apparently-to", "bcc")
_SENDER_FIELDS = ("from", "sender", "reply-to", "return-path", "x-envelope-from", "errors-to")


@dataclass(frozen=True, slots=True)
class Read:
    """The findings of one bounce, and the form that they were read in."""

    findings: tuple[Finding, ...] = ()
    form: str = ""


def read_bounce(mail: Part, words: Words, limits: Limits) -> Read:
    """Return what a bounce says; without any recipient one finding with none, since VERP may still name the reader."""
    fields = find_status_text(mail, words, limits)
    statuses = parse_statuses(fields, limits.recipients) if fields else []
    said = f"{_read_subject(mail, words)}\n{words.said}"
    mentions = find_mentions(words.said, _find_ours(mail, words), limits.recipients)
    if statuses:
        findings = [_judge_status(status, mentions, mail, words, said, len(statuses) == 1) for status in statuses]
        return Read(tuple(findings), "dsn")
    found, form = _find_recipients(mail, words, mentions, limits)
    return Read(tuple(_judge_mention(mention, words, said) for mention in found), form)


def _read_subject(mail: Part, words: Words) -> str:
    """Return what a bounce's subject says of its own: `Undeliverable: our subject` is cut, ours may say anything."""
    subject = decode_words(mail.fields.get("subject"))[:SHOWN_LENGTH]
    ours = decode_words(words.returned.get("subject"))
    if ours:
        return subject.replace(ours, "")
    start, colon, _ = subject.partition(":")
    return start if colon and not _REASON_FIRST.match(subject) else subject


def find_status_text(mail: Part, words: Words, limits: Limits) -> str:
    """Return the text of status fields: a part's, or whatever part or words hold some; without any, no telling text."""
    leaves = [part for part in walk_parts(mail) if not part.is_message]
    texts = [decode_part(part, limits.text) for part in leaves if part.kind in STATUS_KINDS]
    if any(SIGN.search(text) for text in texts):
        return "\n\n".join(texts)
    for part in leaves:
        if part.kind.startswith(("text/", "message/", "application/octet")) and part.kind != "text/rfc822-headers":
            text = decode_part(part, limits.text)
            if part.kind != "text/html" and SIGN.search(text):
                return text
    return words.said if SIGN.search(words.said) else "\n\n".join(texts)


def _find_ours(mail: Part, words: Words) -> set[str]:
    """Return addresses that a bounce names and that are not its recipient's: ours, and the mail system's."""
    ours = {find_address(value) for value in mail.fields.all("from", "to", "sender", "reply-to")}
    senders = [find_address(value) for value in words.returned.all(*_SENDER_FIELDS)]
    recipients = {address.lower() for address in _returned_recipients(words)}
    return {address for address in (*ours, *senders) if address and address.lower() not in recipients}


def _returned_recipients(words: Words) -> list[str]:
    values = [decode_words(value) for value in words.returned.all(*_RECIPIENT_FIELDS)]
    return list(dict.fromkeys(address for value in values for address in find_addresses(value)))


def _find_recipients(mail: Part, words: Words, mentions: list[Mention], limits: Limits) -> tuple[list[Mention], str]:
    """Return the recipients of a bounce without status fields: from its words, its head, or what it returns."""
    failed = [a for value in mail.fields.all("x-failed-recipients") for a in find_addresses(value)]
    known = {address.lower() for address in (*failed, *_returned_recipients(words))}
    if mentions:
        sure = [mention for mention in mentions if mention.address.lower() in known]
        likely = [m for m in mentions if m not in sure and not is_robot(m.address) and (m.leads or not sure)]
        return (sure + likely or mentions), "plain"
    if failed:
        return [Mention(address) for address in dict.fromkeys(failed)][: limits.recipients], "plain"
    anywhere = find_any(words.said, _find_ours(mail, words))
    sent = [address for address in anywhere if address.lower() in known]
    returned = [address for address in _returned_recipients(words) if not is_robot(address)]
    if sent or len(returned) == 1:
        return [Mention(sent[0] if sent else returned[0])], "returned"
    sender, subject = decode_words(mail.fields.get("from")), decode_words(mail.fields.get("subject"))
    guessed = find_recipients(sender, subject, words.said) or anywhere[:1] or returned[:1]
    return [Mention(address) for address in guessed[: limits.recipients]] or [Mention("")], "fallback"


def _judge_status(status: Status, mentions: list[Mention], mail: Part, words: Words, said: str, alone: bool) -> Finding:
    """Return the finding for one recipient's status fields."""
    named = {status.recipient.lower(), status.original_recipient.lower()} - {""}
    mention = next((m for m in mentions if m.address.lower() in named or m.alias.lower() in named), None)
    if mention is None and alone and len(mentions) == 1:
        mention = mentions[0]
    beside = mention.beside if mention else ""
    recipient = status.recipient or (mention.address if mention else "") or _only_returned(words)
    diagnostic = status.diagnostic or beside
    around = said if alone or not beside else ""
    action = _choose_action(status, said, beside)
    return _make_finding(
        Evidence((diagnostic, beside, around), status.status, hint=_read_hint(status, mail)),
        action,
        recipient=recipient,
        original=status.original_recipient,
        diagnostic=diagnostic or said,
        remote=status.remote_mta,
        reporting=status.reporting_mta,
    )


def _read_hint(status: Status, mail: Part) -> Reason | None:
    """Return what the reporting system itself makes of a failure: PowerMTA's category, a carrier's mark for filters."""
    if mail.fields.get("x-spasign").upper() == "NG":
        return Reason.FILTERED
    return _CATEGORIES.get(status.category.lower())


def _only_returned(words: Words) -> str:
    returned = _returned_recipients(words)
    return returned[0] if len(returned) == 1 else ""


def _choose_action(status: Status, said: str, beside: str) -> Action:
    if status.action is Action.DELAYED and has_phrase(normalise(beside), GIVEN_UP):
        return Action.FAILED
    if status.status.startswith("2") and status.action is not Action.FAILED:
        return status.action if status.action in _ARRIVED else Action.DELIVERED
    if status.action is not None:
        return status.action
    return Action.DELAYED if is_delay(said) else Action.FAILED


def is_delay(said: str) -> bool:
    """Return whether words only warn that a mail is late."""
    text = normalise(said[:2500])
    return has_phrase(text, DELAYED) and not has_phrase(text, DONE_TRYING)


def _judge_mention(mention: Mention, words: Words, said: str) -> Finding:
    """Return the finding for a recipient that only words name."""
    first = mention.beside if mention.beside.strip() else _find_reply(words.said)
    action = Action.DELAYED if is_delay(said) else Action.FAILED
    return _make_finding(
        Evidence((first, mention.beside, said)),
        action,
        recipient=mention.address,
        original=mention.alias,
        diagnostic=first,
        remote="",
        reporting="",
    )


def _find_reply(said: str) -> str:
    """Return what a server said, where words quote it: its own words tell more than what is made of them."""
    found = _QUOTED_REPLY.search(said)
    return found[1] if found and tells_reason(found[1]) else said


def _make_finding(
    evidence: Evidence, action: Action, *, recipient: str, original: str, diagnostic: str, remote: str, reporting: str
) -> Finding:
    judgement = judge(evidence)
    reason, severity = judgement.reason, judgement.severity
    if action in _ARRIVED:
        reason, severity = Reason.DELIVERED, Severity.NONE
    elif action is Action.DELAYED:
        severity = Severity.NONE
    shown = clean(re.sub(r"\s+", " ", diagnostic[: 4 * DIAGNOSTIC_LENGTH]))
    found = _REMOTE.search(shown) if not remote else None
    return Finding(
        reason=reason,
        severity=severity,
        action=action,
        recipient=recipient[:SHOWN_LENGTH],
        original_recipient=original[:SHOWN_LENGTH],
        status=judgement.status,
        code=judgement.code,
        diagnostic=shown[:DIAGNOSTIC_LENGTH],
        remote_mta=remote or (found[1] if found else ""),
        reporting_mta=reporting,
    )
