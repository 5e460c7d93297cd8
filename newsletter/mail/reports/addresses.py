"""Mail addresses in what other programs write about them.

Owns what counts as an address in a report: more than the ledger takes (`mail.address`), since it only has to be
recognised. An address found here names nobody.
"""

import re

_LABEL = r"[^\W_](?:[\w-]{0,62}[^\W_])?"
_LOCAL = r"(?:\"[^\"\s@]{1,64}\"|[^\s<>()\[\]\",;:\\@|：；，。、（）「」『』【】《》]{1,64})"
ADDRESS = rf"{_LOCAL}@(?:(?:{_LABEL}\.)*{_LABEL}|\[[0-9a-fA-F:.]{{3,45}}\])"
"""An address as it stands in text; also with a domain of one label, as on an inner network."""

_ADDRESS = re.compile(ADDRESS)
_TYPED = re.compile(r"[\s]*([A-Za-z0-9-]{2,20})[ \t]*;[ \t]*(.*)", re.DOTALL)
_X400 = re.compile(r"(?:rfc-?822|RFC-?822)=([^/;]+)")
_X400_ESCAPES = {"(a)": "@", "(p)": "%", "(u)": "_", "(q)": '"', "(b)": "!"}
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ROBOTS = re.compile(
    r"(?:mailer[-_.]?daemon|mail[-_.]?daemon|post[-_]?master|daemon|mailerdaemon|maildaemon|abuse|no-?reply|do-?not-?reply"
    r"|bounces?|double-bounce|mail-?system|mdaemon|maildelivery|mail-?delivery|mailmaster|e?mailer|admin(?:istrator)?"
    r"|support|help|helpdesk|hostmaster|root|microsoftexchange\w{5,})@",
    re.IGNORECASE,
)


def find_addresses(text: str) -> list[str]:
    """Return the addresses in a text, in order, each once."""
    return list(dict.fromkeys(tidy(found) for found in _ADDRESS.findall(text)))


def find_address(text: str) -> str:
    """Return the first address in a text, or ''."""
    found = _ADDRESS.search(text)
    return tidy(found[0]) if found else ""


def tidy(address: str) -> str:
    """Return an address without what text puts around it."""
    local, _, domain = address.partition("@")
    return f"{local.lstrip(chr(39) + '*`=').removeprefix('mailto:')}@{domain.rstrip('.-')}"


def read_typed_address(value: str) -> str:
    """Return the address in `rfc822; reader@example.org` (RFC 3464 section 2.3.2) and in its many distortions, or ''.

    What an internationalised address has in escapes is spelt out. An X.400 address gives the Internet address it wraps
    (RFC 2156 section 4.2), if it wraps one.
    """
    found = _TYPED.match(value)
    kind, rest = (found[1].lower(), found[2]) if found else ("", value)
    if kind in ("x400", "x.400"):
        wrapped = _X400.search(rest)
        rest = wrapped[1] if wrapped else rest
        for escape, character in _X400_ESCAPES.items():
            rest = rest.replace(escape, character)
    elif kind == "utf-8":
        rest = _ESCAPED.sub(_unescape, rest)
    bracketed = re.search(r"<([^<>]*@[^<>]*)>", rest)
    return find_address(bracketed[1]) if bracketed else find_address(rest)


def _unescape(found: re.Match[str]) -> str:
    """Return what utf-8-addr-xtext stands for (RFC 6533 section 3)."""
    number = int(found[1], 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else found[0]


def is_robot(address: str) -> bool:
    """Return whether an address is one that bounces come from or that helps with them, rather than a reader's."""
    return bool(_ROBOTS.match(address))
