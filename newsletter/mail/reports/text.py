"""What a mail says in words, and where in it the returned mail begins.

Owns turning HTML into lines and finding the line behind which a bounce only quotes. Every pattern here is linear in
the text, which is bounded.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

from newsletter.mail.reports.fields import NO_FIELDS, Fields, parse_head
from newsletter.mail.reports.limits import Limits
from newsletter.mail.reports.structure import Part, decode_part, walk_parts

_BREAK = re.compile(r"<(?:br|/?p|/?div|/?tr|/?table|li|/?h[1-6]|hr|/?pre|/?blockquote)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_CELL = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
_TAG = re.compile(r"<(?![^<>\s@]{1,64}@[^<>\s@]{1,255}>)[!/a-zA-Z][^<>]*>")
_BLANKS = re.compile(r"[ \t\u00a0\u3000]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n+")
_INVISIBLE = ("style", "script", "head", "title")

_RULER = r"[ \t]*[-=*_|+#]{2,}[ \t]*[^\n]{0,40}?\b"
_ORIGINAL = re.compile(
    r"^(?:"
    # A ruler with words in it: "--- Below this line is a copy of the message.", "----- Original message -----".
    rf"{_RULER}(?:copy of|original (?:message|mail|e-?mail|header)|returned (?:message|mail)|unsent message|undelivered"
    r" (?:message|mail)|message (?:headers?|text|body) follows?|message follows|mail follows|headers? follows?"
    r"|message headers?\b|headers? of (?:the|your)|header is following|forwarded message|start of returned"
    r"|mensagem original|mensaje original|message d'origine|message original|ursprüngliche|original-?nachricht"
    r"|message was collected|non-?delivered message|enclosed is|original mail info|исходное|копия)[^\n]*"
    # The same without a ruler.
    r"|[ \t]*here is (?:a copy of )?(?:the|your)[^\n]{0,30}\b(?:message|mail|headers?)\b[^\n]*"
    r"|[ \t]*(?:included|attached|enclosed|below|following) (?:below )?is (?:a copy of )?(?:the|your)"
    r"[^\n]{0,30}\b(?:message|mail|headers?)\b[^\n]*"
    r"|[ \t]*(?:the )?(?:original|returned) (?:message|mail)(?: headers?)?(?: as)? (?:follows?|is attached)\b[^\n]*"
    r"|[ \t]*(?:the )?(?:original|message|mail) (?:message )?headers?(?: follows?)?[ \t]*:[ \t]*"
    r"|[ \t]*original message(?: details)?[ \t]*:?[ \t]*"
    r"|[ \t]*(?:this is )?(?:a )?copy of (?:the|your) (?:original )?(?:message|mail)[^\n]*"
    r"|[ \t]*the (?:attachment contains|header of) the original[^\n]*"
    r"|[ \t]*your (?:original )?message (?:reads|follows|headers?)[^\n]*"
    r"|[ \t]*en-t[êe]tes? de message d.origine[^\n]*"
    r"|[ \t]*(?:ursprüngliche (?:nachrichtenkopfzeilen|kopfzeilen)|kopfzeilen der ursprünglichen nachricht"
    r"|originalnachrichtenkopf(?:zeilen)?)[^\n]*"
    r"|[ \t]*encabezados (?:de mensajes? originale?s?|del mensaje original)[^\n]*"
    r"|[ \t]*cabeçalhos (?:de|da) mensage(?:m|ns) origina(?:l|is)[^\n]*"
    r"|[ \t]*intestazioni (?:originali )?del messaggio(?: originale)?[^\n]*"
    r"|[ \t]*oorspronkelijke berichtkoppen[^\n]*"
    r"|[ \t]*元のメッセージ[^\n]*|[ \t]*(?:исходные )?заголовки (?:исходного )?сообщения[^\n]*"
    r")$",
    re.IGNORECASE | re.MULTILINE,
)
_SUBJECT_LINE = re.compile(
    r"^[ \t>]*(?:subject|betreff|objet|asunto|assunto|oggetto|onderwerp|temat|ämne|emne|тема|件名|主题|主旨)[ \t]*[:：]"
    r"[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""The returned mail's subject: ours, whatever words are in it."""

_HEADER_LINE = re.compile(r"[A-Z][A-Za-z]*(?:-[A-Za-z0-9]+)*:(?:[ \t]|$)")
_STARTS = re.compile(
    r"^(?:Received: |Return-Path: ?|Delivered-To: |DKIM-Signature: |X-[A-Za-z-]+: |Message-I[dD]: |From: |Date: |To: "
    r"|Subject: |MIME-Version: |Envelope-to: )",
    re.MULTILINE | re.IGNORECASE,
)
_REPORTING = re.compile(
    r"^(?:Reporting-MTA|Final-Recipient|Original-Recipient|Action|Diagnostic-Code)[ \t]*:", re.I | re.M
)


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says itself, and the head and text of what it returns or quotes (empty if nothing)."""

    said: str = ""
    returned: Fields = NO_FIELDS
    returned_text: str = ""


def read_words(mail: Part, limits: Limits) -> Words:
    """Return a mail's own words and what it returns, wherever that stands: as a part or behind a ruler."""
    said, returned, quoted = "", NO_FIELDS, ""
    for part in walk_parts(mail):
        if part.is_message or part.kind == "text/rfc822-headers":
            if not len(returned):
                returned, quoted = _read_returned(part, limits)
        elif len(said) < limits.text and (part.kind == "text/plain" or (part.kind == "text/html" and not said.strip())):
            said += ("\n" if said else "") + read_text(part, limits.text - len(said))
    own, rest = split_original(said)
    own = _SUBJECT_LINE.sub("", own)
    if rest and not len(returned):
        returned, body = parse_head(rest.encode("utf-8", "replace"), limits.headers)
        quoted = body.decode("utf-8", "replace")
    return Words(own, returned, quoted)


def read_text(part: Part, limit: int) -> str:
    """Return a text part as lines, HTML without its tags."""
    text = decode_part(part, limit)
    return strip_html(text) if part.kind == "text/html" or _looks_like_html(text) else text


def _looks_like_html(text: str) -> bool:
    head = text[:200].lstrip().lower()
    return head.startswith(("<html", "<!doctype html"))


def _read_returned(part: Part, limits: Limits) -> tuple[Fields, str]:
    if part.is_message:
        inner = part.parts[0] if part.parts else part
        leaves = [leaf for leaf in walk_parts(inner, into_messages=True) if leaf.kind.startswith("text/")]
        quoted = "\n".join(decode_part(leaf, limits.text) for leaf in leaves[:4])
        return (inner.fields if part.parts else NO_FIELDS), quoted[: limits.text]
    text = decode_part(part, limits.text).lstrip("\n")
    fields, rest = parse_head(text.encode("utf-8", "replace"), limits.headers)
    return fields, rest.decode("utf-8", "replace")


def split_original(text: str) -> tuple[str, str]:
    """Return the text before the mail that it quotes, and the quoted mail from its first header line on."""
    found = _ORIGINAL.search(text)
    if found and text[: found.start()].strip():
        return text[: found.start()], _skip_to_head(text[found.end() :])
    start = _find_head(text)
    return (text[:start], text[start:]) if start >= 0 else (text, "")


def _skip_to_head(rest: str) -> str:
    start = _find_head(rest[:4000], enough=2)
    return rest[start:] if start >= 0 else rest.lstrip()


def _find_head(text: str, enough: int = 4) -> int:
    """Return where a run of header lines begins that can only be a mail's; -1 for none."""
    for tried, found in enumerate(_STARTS.finditer(text)):
        if tried > 50:
            break
        lines = [line for line in text[found.start() : found.start() + 1500].split("\n", 12)[:12] if line]
        named = sum(1 for line in lines if _HEADER_LINE.match(line))
        folded = sum(1 for line in lines if line[0] in " \t")
        sparse = named < enough or named + folded < min(len(lines), 6)
        if not sparse and not _REPORTING.search("\n".join(lines)):
            return found.start()
    return -1


def strip_html(text: str) -> str:
    """Return HTML as lines of text; an address in angle brackets stays, whether it was escaped or not."""
    for name in _INVISIBLE:
        text = _change_element(text, name, lambda _: "")
    text = _change_element(text, "pre", lambda found: found.replace("\n", "<br>"))
    text = _BREAK.sub("\n", re.sub(r"\s*\n\s*", " ", text))
    text = _TAG.sub("", _CELL.sub(" ", text))
    text = html.unescape(text)
    lines = (_BLANKS.sub(" ", line).strip() for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _change_element(text: str, name: str, change: Callable[[str], str]) -> str:
    """Change an element with what is in it; in one pass, however often it is opened."""
    lower, kept, position = text.lower(), [], 0
    if len(lower) != len(text):  # a letter whose lower case is longer: positions would not fit
        return text
    while (start := lower.find(f"<{name}", position)) >= 0:
        end = lower.find(f"</{name}", start)
        if end < 0:
            break
        kept.append(text[position:start])
        closed = lower.find(">", end)
        position = closed + 1 if closed >= 0 else len(text)
        kept.append(change(text[start:position]))
    kept.append(text[position:])
    return "".join(kept)
