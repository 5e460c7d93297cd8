"""Reads what comes back: one raw mail in, one Report out. Total: any bytes give a Report, none an exception.

    report = read_report(raw, Ours([key], "bounces.example.org", "unsubscribe@example.org"), envelope_to=rcpt)
    report.kind, report.named, report.findings

    recipient, severity, reason = judge_mail(raw)       # what a corpus of bounces is held against

The order in which a mail is asked what it is: feedback report, request to leave, refusal or delivery report,
auto-reply, somebody's forwarded bounce, and last a reader's own words. Whom it is about is read apart from that
(`names`).
"""

from dataclasses import replace

from newsletter.mail.reports.addresses import find_address, find_addresses
from newsletter.mail.reports.arf import read_feedback
from newsletter.mail.reports.autoreply import is_auto_reply, is_receipt, is_refusal
from newsletter.mail.reports.bounce import Read, find_status_text, read_bounce
from newsletter.mail.reports.dsn import SIGN
from newsletter.mail.reports.fields import decode_words
from newsletter.mail.reports.limits import LIMITS, SHOWN_LENGTH, Limits
from newsletter.mail.reports.names import Ours, Places, find_arrivals, find_names
from newsletter.mail.reports.notified import read_notification
from newsletter.mail.reports.requests import find_request_token, is_request
from newsletter.mail.reports.signs import is_bounce, is_daemon
from newsletter.mail.reports.structure import Part, decode_part, parse_mail, walk_parts
from newsletter.mail.reports.text import Words, read_words
from newsletter.model.bounce import Action, Finding, Named, Reason, Report, ReportKind, Severity

__all__ = ["Ours", "judge_mail", "read_report"]

_MAX_FORWARDED = 2


def read_report(raw: bytes, ours: Ours | None = None, *, envelope_to: str = "", limits: Limits = LIMITS) -> Report:
    """Return what a mail says; never raises. Without `ours` nobody is named.

    `envelope_to` is the envelope recipient where the way in knows it (LMTP, a pipe's argument).
    """
    mail, cut = parse_mail(raw, limits)
    return replace(_read_mail(mail, ours, envelope_to, limits, _MAX_FORWARDED), cut=cut)


def judge_mail(raw: bytes) -> tuple[str, Severity, Reason]:
    """Return recipient, severity and reason of the first that failed; ("", none, undetermined) if nothing is said.

    A corpus knows bounces that are hard or soft: a delay, which loses nothing and counts against nobody, is soft here.
    """
    report = read_report(raw)
    if not report.findings:
        return "", Severity.NONE, Reason.UNDETERMINED
    first = next((found for found in report.findings if found.action is Action.FAILED), report.findings[0])
    severity = Severity.SOFT if first.action is Action.DELAYED else first.severity
    return first.recipient, severity, first.reason


def _read_mail(mail: Part, ours: Ours | None, envelope_to: str, limits: Limits, forwarded: int) -> Report:
    words = read_words(mail, limits)
    report = _read_kind(mail, words, ours, limits)
    guessed = report.kind is ReportKind.BOUNCE and report.form in ("returned", "fallback")
    if forwarded and (guessed or report.kind in (ReportKind.REPLY, ReportKind.UNREADABLE)):
        inner = _find_forwarded(mail, ours, limits, forwarded - 1)
        if inner is not None:
            report = replace(inner, names=(), notice=0)
    names, notice = _find_names(mail, words, ours, envelope_to, limits) if ours else ((), 0)
    return replace(
        report,
        names=names,
        notice=notice,
        sender=decode_words(mail.fields.get("from"))[:SHOWN_LENGTH],
        subject=decode_words(mail.fields.get("subject"))[:SHOWN_LENGTH],
    )


def _read_kind(mail: Part, words: Words, ours: Ours | None, limits: Limits) -> Report:
    """Return what a mail is and says, still without names."""
    feedback = read_feedback(mail, words, limits)
    if feedback is not None:
        kind = ReportKind.COMPLAINT if feedback.is_complaint else ReportKind.FEEDBACK
        return Report(kind, feedback.findings, form="arf", feedback=feedback.kind)
    notified = read_notification(words, limits)
    if notified is not None:
        return notified
    addressed = [a.lower() for value in find_arrivals(mail.fields) for a in find_addresses(value)]
    wish = is_request(mail.fields, addressed, ours.unsubscribe_address if ours else "")
    if wish and (find_request_token(mail.fields) or not is_auto_reply(mail, words)):
        return Report(ReportKind.UNSUBSCRIBE, (_describe(mail, Reason.UNSUBSCRIBE),), form="mailto")
    if is_refusal(mail, words) or (not is_receipt(mail) and _is_delivery_report(mail, words, limits)):
        return _make_bounce(read_bounce(mail, words, limits))
    if is_auto_reply(mail, words):
        return Report(ReportKind.AUTO_REPLY, (_describe(mail, Reason.AUTO_REPLY),), form="auto-reply")
    readable = bool(words.said.strip()) and bool(find_address(mail.fields.get("from"))) and not is_daemon(mail.fields)
    return Report(ReportKind.REPLY if readable else ReportKind.UNREADABLE)


def _is_delivery_report(mail: Part, words: Words, limits: Limits) -> bool:
    """Return whether a mail is a bounce by its signs, or holds status fields and isn't an answer that quotes some."""
    if is_bounce(mail, words):
        return True
    return not mail.fields.has("in-reply-to") and bool(SIGN.search(find_status_text(mail, words, limits)))


def _make_bounce(read: Read) -> Report:
    """Return the report of a bounce; one that names no recipient and no reason is for a human."""
    actions = {finding.action for finding in read.findings}
    telling = any(finding.recipient or finding.reason is not Reason.UNDETERMINED for finding in read.findings)
    if not telling:
        return Report(ReportKind.UNREADABLE, form=read.form)
    if Action.FAILED in actions:
        return Report(ReportKind.BOUNCE, read.findings, form=read.form)
    kind = ReportKind.DELAY if Action.DELAYED in actions else ReportKind.DELIVERED
    return Report(kind, read.findings, form=read.form)


def _describe(mail: Part, reason: Reason) -> Finding:
    """Return the finding of a mail that somebody's mailbox sent: its sender, and nothing lost."""
    sender = find_address(decode_words(mail.fields.get("from"))) or find_address(mail.fields.get("return-path"))
    subject = decode_words(mail.fields.get("subject"))[:SHOWN_LENGTH]
    return Finding(reason, Severity.NONE, Action.DELIVERED, recipient=sender[:SHOWN_LENGTH], diagnostic=subject)


def _find_forwarded(mail: Part, ours: Ours | None, limits: Limits, forwarded: int) -> Report | None:
    """Return the report that a mail carries within it, if a carried message is one."""
    for part in walk_parts(mail):
        if part.is_message and part.parts:
            report = _read_mail(part.parts[0], ours, "", limits, forwarded)
            if report.kind not in (ReportKind.REPLY, ReportKind.UNREADABLE, ReportKind.UNSUBSCRIBE):
                return report
    return None


def _find_names(
    mail: Part, words: Words, ours: Ours, envelope_to: str, limits: Limits
) -> tuple[tuple[Named, ...], int]:
    """Return which readers are named, or which notice."""
    machine = [decode_part(part, limits.text) for part in walk_parts(mail) if _is_for_machines(part)]
    places = Places(
        fields=mail.fields,
        envelope_to=envelope_to,
        statuses="\n".join(machine[:4]),
        said=words.said,
        returned=words.returned,
        returned_text=words.returned_text,
    )
    return find_names(places, ours)


def _is_for_machines(part: Part) -> bool:
    """Return whether a part holds fields: of a status, a receipt, a feedback report."""
    return part.kind.startswith("message/") and not part.is_message
