"""Bounces in plain words: the recipients in them, and what stands beside each.

Owns finding recipients in what an MTA wrote for people. Most formats come down to a few shapes of a line: an address
alone, an address and a colon, a label and an address, a reply that names one, a transcript's RCPT. What belongs to a
recipient stands behind it, up to the next; where nothing does, before it.

An address found here names nobody; it only describes.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from newsletter.mail.reports.addresses import ADDRESS, find_addresses, is_robot, tidy

_A = rf"(?P<address>{ADDRESS})"
_OPEN, _CLOSE = r"[<\"'(\[]", r"[>\"')\]]"
_PREFIX = r"(?:smtp:|mailto:|rfc822;[ \t]*)?"
_REST = r"[\s:;,.]*(?P<rest>.*)$"
_BEFORE_LABEL = (
    r"(?:final|original|failed|intended|affected|bad|invalid|unknown|undeliverable|undelivered|e-?mail|mail|smtp|your"
    r"|the|following|this|destination|target|delivery|message|unable|could|couldn't|not|be|was|has|been|delivered"
    r"|deliver|sent|send|reach|to|for|error|sorry)[ _-]+"
)
_LABEL = (
    r"(?:recipients?|recipient\(s\)|addressee|address(?:ed)?(?:\(?es\)?)?(?: to)?|users?|rcpt(?: to)?|mailbox|account"
    r"|userid|destinataires?|empf[aä]nger|adressat|destinatari[oi]s?|geadresseerde|ontvanger|odbiorca|получател\w*"
    r"|адресат\w*|адрес\w*|宛先|受信者|送信先|收件人|收件者)"
)
_LABELLED = rf"(?:(?:{_BEFORE_LABEL}){{0,8}}{_LABEL}|(?:{_BEFORE_LABEL}){{1,8}}(?:to|for|user|name))(?![\w.+-])"
_HEADER = r"(?:to|cc|bcc|from|sent|date|subject|sender|reply-to|an|von|pour|para|de|à)[ \t]*[:：]"
_BULLETS = re.compile(r"(?:[ \t>*•·|#=.]|-(?=[ \t-]))*(?:\d{1,3}[.)][ \t]+)?")
_SHAPES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # <reader@example.org>: …   "reader@example.org": …   To:<reader@example.org>:
        rf"(?:to[ :]*)?{_OPEN}{{1,2}}{_PREFIX}{_A}{_CLOSE}{{1,2}}{_REST}",
        # reader@example.org   reader@example.org: …   reader@example.org... …   reader@example.org on 4/29/99
        rf"{_PREFIX}{_A}[ \t]*(?:(?:[:;,]|\.{{3}}| - |\(|\[| on | ->|=>)[ \t]*(?P<rest>.*))?$",
        # Some Name <reader@example.org>   other@example.org <reader@example.org>
        rf"[^<>@:]{{0,60}}(?:@[^<>@\s]{{1,100}} )?<(?:mailto:)?{_A}>{_REST}",
        # Recipient: reader@example.org   Could not be delivered to: <reader@example.org>
        rf"{_LABELLED}[ \t]*(?:[:=：]|\.\.\.)?[ \t]*{_OPEN}{{0,2}}{_PREFIX}{_A}{_CLOSE}{{0,2}}{_REST}",
        # 550 5.1.1 <reader@example.org>... User unknown
        r"(?:<<<[ \t]*)?[245]\d\d[ -](?:#?[245]\.\d{1,3}\.\d{1,3}[ -])?(?:[^@<]{0,60}[\s<(:])?" + rf"<?{_A}>?{_REST}",
        # c=us;a= ;p=corp;o=site;dda:SMTP=reader@example.org; on Fri, 4 Oct 2002
        rf".{{0,120}}\bSMTP=\"?{_A}\"?;?(?P<rest>.*)$",
        # Sent <<< RCPT TO:<reader@example.org>
        rf"[^<>]{{0,30}}(?:>>>|<<<)[ \t]*RCPT[ \t]+TO:[ \t]*<?{_A}>?(?P<rest>.*)$",
        # User mailbox exceeds allowed size: reader@example.org
        rf"(?!{_HEADER})[^@:<]{{2,80}}[:：][ \t]*<?{_A}>?(?P<rest>[\s.]*)$",
        # reader@example.org Some reason, without anything in between
        rf"{_A}[ \t]+(?P<rest>[A-Za-z(\[\"'].{{3,}})$",
    )
)
_LOOSE = re.compile(
    r"(?:message|mail|delivery|deliver|sent|send|nachricht|mensaje|mensagem|messaggio|письмо|recipients?|address(?:es)?"
    rf"|user|mailbox|account|list|following|by|to|for|à|an|para|a|per)[\s:,]{{1,3}}{_OPEN}{{0,2}}{_PREFIX}{_A}",
    re.IGNORECASE,
)
"""The recipient within a sentence."""

_NOT_RECIPIENT = re.compile(
    r"(?:\bgenerated (?:from|by)\b|\bexpanded from\b|\bmessage-id\b|\bfrom:|\bsender\b|\bsent by\b|\bmail from\b"
    r"|\breturn-path\b|\breply-to\b|\bcontact\b|\bquestions?\b|\bhelp\b|\bsupport\b|\bassistance\b|\bpostmaster\b"
    r"|\babuse\b|\bplease (?:send|write|e-?mail|forward|call)\b|\bthis is (?:the|an?) (?:mail|e-?mail|postfix|qmail)\b"
    r"|\bprogram at\b|\bserver at\b)",
    re.IGNORECASE,
)
_MESSAGE_ID = re.compile(r"\b(?:message|msg)[- ]?id[ \t:=<\[\"']{0,12}[^\s<>@]{1,200}@[^\s<>]{1,200}", re.IGNORECASE)
_ALIAS = re.compile(rf"\((?:generated|expanded) from:?[ \t]*<?{_A}", re.IGNORECASE)
_MAX_LINES = 400
_MAX_LINE = 600


@dataclass(frozen=True, slots=True)
class Mention:
    """A recipient as a text names it, and what stands beside it. `alias` is what it was made from, if that is said."""

    address: str
    beside: str = ""
    alias: str = ""
    leads: bool = True
    """Whether a line began with it, rather than mentioning it."""


def find_mentions(text: str, ours: Collection[str], limit: int) -> list[Mention]:
    """Return the recipients that a bounce's words are about, in order, each once; `ours` are never recipients."""
    lines = [line[:_MAX_LINE] for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]]
    ignored = {address.lower() for address in ours}
    marks = list(_find_marks(lines, ignored)) or list(_find_loose_marks(lines, ignored))
    return _gather(lines, marks, limit) if marks else []


@dataclass(frozen=True, slots=True)
class _Mark:
    """A line that has a recipient's shape: its number, the address, and what else it says."""

    number: int
    address: str
    rest: str
    leads: bool


def _find_marks(lines: list[str], ignored: Collection[str]) -> Iterator[_Mark]:
    for number, line in enumerate(lines):
        if "@" not in line or _is_about_others(line):
            continue
        start = _BULLETS.match(line)
        for shape in _SHAPES:
            found = shape.match(line, start.end() if start else 0)
            if found:
                address = tidy(found["address"])
                if address.lower() not in ignored:
                    before = line[: found.start("address")].strip("\t <>\"':")
                    rest = line.strip() if before else found["rest"] or ""
                    yield _Mark(number, address, rest, leads=not before)
                break


def _find_loose_marks(lines: list[str], ignored: Collection[str]) -> Iterator[_Mark]:
    for number, line in enumerate(lines):
        if "@" not in line or _is_about_others(line):
            continue
        for found in _LOOSE.finditer(line):
            address = tidy(found["address"])
            if address.lower() not in ignored and not is_robot(address):
                yield _Mark(number, address, line.strip(), leads=False)


def _is_about_others(line: str) -> bool:
    """Return whether a line names a sender, somebody to ask, or what a recipient was made from."""
    before = line.partition("@")[0]
    return bool(_NOT_RECIPIENT.search(before[: before.rfind(" ") + 1]) or _ALIAS.search(line))


def _gather(lines: list[str], marks: list[_Mark], limit: int) -> list[Mention]:
    """Join what stands beside each recipient, wherever it is mentioned."""
    ends = [mark.number for mark in marks[1:]] + [len(lines)]
    blocks: dict[str, list[tuple[_Mark, list[str]]]] = {}
    for mark, end in zip(marks, ends, strict=True):
        key = mark.address.lower()
        if key not in blocks and len(blocks) >= limit:
            break
        blocks.setdefault(key, []).append((mark, lines[mark.number + 1 : max(end, mark.number + 1)]))
    return [_make_mention(found) for found in blocks.values()]


def _make_mention(found: list[tuple[_Mark, list[str]]]) -> Mention:
    beside = [line for mark, block in found for line in (mark.rest, *block) if line.strip()]
    aliases = [alias for _, block in found for line in block[:2] if (alias := _ALIAS.search(line))]
    return Mention(
        address=found[0][0].address,
        beside="\n".join(beside),
        alias=tidy(aliases[0]["address"]) if aliases else "",
        leads=any(mark.leads for mark, _ in found),
    )


def find_any(text: str, ours: Collection[str]) -> list[str]:
    """Return every address in a text that may be a recipient's, in order; for when no line has a recipient's shape."""
    ignored = {address.lower() for address in ours}
    text = _MESSAGE_ID.sub(" ", text)
    return [address for address in find_addresses(text) if address.lower() not in ignored and not is_robot(address)]
