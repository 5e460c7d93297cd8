"""Judges the address of a link or image by itself: may it be sent to readers, and will it lead anywhere?

Owns the rules for addresses in issues. Asks no network.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from newsletter.model.problem import Severity
from newsletter.sanitise import ALLOWED_SCHEMES

SHORTENERS = frozenset(
    {
        *("adf.ly", "amzn.to", "bit.do", "bit.ly", "bitly.com", "bl.ink", "buff.ly", "cutt.ly", "db.tt", "dlvr.it"),
        *("fb.me", "git.io", "goo.gl", "hubs.ly", "ift.tt", "is.gd", "j.mp", "lnkd.in", "mcaf.ee", "mee.to"),
        *("ow.ly", "pst.cr", "rb.gy", "rebrand.ly", "s.id", "short.io", "shorturl.at", "snip.ly", "soo.gd", "spoti.fi"),
        *("t.co", "t.ly", "tiny.cc", "tiny.one", "tinyurl.com", "trib.al", "u.to", "v.gd", "x.gd", "zpr.io"),
    }
)

_SCHEME = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*):(?P<rest>.*)", re.DOTALL)
_HOST = re.compile(r"[^\s/?#%@:\[\]<>\"'(),;\\^`{|}]+")
_BARE_HOST = re.compile(r"(?:[\w-]+\.)+(?P<last>[a-z]{2,24})(?::[0-9]+)?(?:[/?#].*)?", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@/]+@[^\s@/]+\.[^\s@/]+")
_FILE_NAME = re.compile(r"[\w.-]{1,60}")
_FILE_ENDINGS = frozenset(
    {
        *("md", "html", "htm", "pdf", "txt", "csv", "xml", "json"),
        *("png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "heic", "bmp", "tif", "tiff"),
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an address; the parts of a Problem that don't depend on where it stands."""

    severity: Severity
    code: str
    message: str
    hint: str


def check_address(address: str, *, image: bool = False) -> Fault | None:
    """Return what is wrong with an address as a reader's program sees it, or None. `image`: it is an image's source."""
    address = address.strip()
    if not address:
        return _malformed("The link has no address.", "Write it in the parentheses: [text](https://…).")
    match = _SCHEME.fullmatch(address)
    if match is None or re.match(r"[0-9]+(/|$)", match["rest"]):
        return _check_schemeless(address, image=image)
    scheme = match["scheme"].lower()
    if scheme in ("http", "https"):
        return _check_web(address, match["rest"])
    if scheme == "mailto" and not image:
        if "@" in match["rest"]:
            return None
        return _malformed("A mailto link without an address.", "Write mailto:name@example.org.")
    return _check_scheme(scheme, image=image)


def _check_scheme(scheme: str, *, image: bool) -> Fault:
    if scheme == "data" and image:
        hint = "Put the image on the web and link to it."
        return _error("unsupported-link", "Most mail programs don't show an image written into the text (data:).", hint)
    known = ", ".join(sorted(ALLOWED_SCHEMES))
    message = f"A link that starts with {scheme}: is dropped before anything is sent."
    return _error("unsupported-link", message, f"Use one of {known}.")


def _check_schemeless(address: str, *, image: bool) -> Fault:
    if _MAIL.fullmatch(address):
        return _malformed(f"{address} is a mail address, not a link.", f"Write mailto:{address}.")
    bare = _BARE_HOST.fullmatch(address)
    is_host = bare is not None and (address.startswith("www.") or bare["last"].lower() not in _FILE_ENDINGS)
    if is_host or address.startswith("localhost"):
        return _malformed(f"{address} has no scheme, so it leads nowhere.", f"Write https://{address}.")
    hint = "Write the full address, https:// and all."
    if address.startswith("//"):
        hint = f"Write https:{address}."
    elif address.startswith("#"):
        hint = "Write the full address of the page with the anchor at its end."
    elif image:
        name = re.split(r"[?#]", address)[0].rpartition("/")[2]
        place = f"images/{name if _FILE_NAME.fullmatch(name) else 'plot.png'}"
        hint = f"Put the file into the site's folder ([site] folder), as {place} say, and write https://…/{place}."
    return _error("relative-link", f"{address} is relative: in a mail or a feed it leads nowhere.", hint)


def _check_web(address: str, rest: str) -> Fault | None:
    scheme = address.split(":", 1)[0].lower()
    if not re.match(r"//[^/]", rest):
        host_on = rest.lstrip("/")
        if not host_on:
            hint = f"Write the whole address, such as {scheme}://example.org/page."
            return _malformed(f"{address} is only the beginning of an address.", hint)
        return _malformed(f"{address} doesn't start with {scheme}:// and a host.", f"Write {scheme}://{host_on}.")
    if re.search(r"[\s\\<>\"]", address):
        hint = "Write a space as %20, or check where the address ends."
        return _malformed(f"{address} holds a space or a character that no address may hold.", hint)
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return _malformed(f"{address} is no valid address.", "Check its host and port.")
    if parts.username is not None or parts.password is not None:
        message = f"The link to {host} holds a user name or password, which mail programs take for fraud."
        return _error("link-userinfo", message, "Remove everything between :// and @.")
    return _check_host(host)


def _check_host(host: str) -> Fault | None:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or _is_private(host):
        message = f"{host} can be reached from inside your own network only."
        return _error("local-link", message, "Use the public address.")
    if not _is_ip(host) and not _is_domain(host):
        return _malformed(f"{host!r} is no host on the web.", "Check the spelling between :// and the next /.")
    if host.removeprefix("www.").rstrip(".") in SHORTENERS:
        message = f"{host} hides where the link leads, and spam filters punish it."
        return Fault(Severity.WARNING, "shortened-link", message, "Open it and use the address it leads to.")
    return None


def _is_domain(host: str) -> bool:
    labels = host.rstrip(".").split(".")
    whole = bool(_HOST.fullmatch(host)) and all(label.strip("-") == label != "" for label in labels)
    return whole and len(labels) > 1 and not labels[-1][0].isdigit()


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_private(host: str) -> bool:
    return _is_ip(host) and not ipaddress.ip_address(host).is_global


def _malformed(message: str, hint: str) -> Fault:
    return _error("malformed-link", message, hint)


def _error(code: str, message: str, hint: str) -> Fault:
    return Fault(Severity.ERROR, code, message, hint)
