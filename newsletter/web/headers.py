"""What every answer says to browsers beside its content: what a page may load, and who may frame it. Pure.

Owns the security headers. Everything is forbidden that no page of ours needs: scripts, frames, foreign styles and
fonts. No page for readers sets a cookie, and no link's token leaves in a `Referer`. The admin pages may run the site's
own script and frame the site's own mails, which for their part may do nothing but be looked at.
"""

from enum import StrEnum
from functools import lru_cache

Headers = tuple[tuple[str, str], ...]

NO_STORE = "no-store"

_PERMISSIONS = (
    "accelerometer",
    "browsing-topics",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)


class Nature(StrEnum):
    """What an answer is, as far as browsers must know: a page of the site, one that belongs to a reader, a form for
    other sites' frames, an admin page, a mail that is looked at in one, or something that isn't a page."""

    PAGE = "page"
    PRIVATE = "private"
    EMBEDDED = "embedded"
    ADMIN = "admin"
    MAIL = "mail"
    FILE = "file"


def compose_policy(nature: Nature, image_hosts: tuple[str, ...] = (), embed_on: tuple[str, ...] = ()) -> str:
    """Return the Content-Security-Policy of an answer."""
    if nature is Nature.FILE:
        # An SVG is a document when it is opened by itself.
        return "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    if nature is Nature.MAIL:
        images = " ".join(["'self'", "data:", *image_hosts])
        return (
            "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
            f"img-src {images}; frame-ancestors 'self'; base-uri 'none'"
        )
    frames = " ".join(embed_on) if nature is Nature.EMBEDDED and embed_on else "'none'"
    images = " ".join(["'self'", *image_hosts]) if nature is Nature.PAGE else "'self'"
    own = "script-src 'self'; connect-src 'self'; frame-src 'self'; " if nature is Nature.ADMIN else ""
    return (
        f"default-src 'none'; {own}style-src 'self'; img-src {images}; form-action 'self'; frame-ancestors {frames}; "
        "base-uri 'none'"
    )


@lru_cache(maxsize=64)
def compose_headers(nature: Nature, image_hosts: tuple[str, ...] = (), embed_on: tuple[str, ...] = ()) -> Headers:
    """Return the headers that browsers go by; `compose_transport` gives the one that depends on how they came."""
    private = nature in (Nature.PRIVATE, Nature.EMBEDDED, Nature.ADMIN, Nature.MAIL)
    return (
        ("content-security-policy", compose_policy(nature, image_hosts, embed_on)),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", _choose_referrer(nature, private)),
        ("cross-origin-opener-policy", "same-origin"),
        # A mail's images are shown by web mail, and feeds are read by web readers; pages are ours alone.
        ("cross-origin-resource-policy", "cross-origin" if nature in (Nature.FILE, Nature.EMBEDDED) else "same-origin"),
        ("permissions-policy", ", ".join(f"{name}=()" for name in _PERMISSIONS)),
        *((("x-robots-tag", "noindex"),) if private else ()),
    )


def _choose_referrer(nature: Nature, private: bool) -> str:
    if nature is Nature.ADMIN:
        return "same-origin"  # with no-referrer, browsers say `Origin: null` in a POST, and we ask where it comes from
    return "no-referrer" if private else "strict-origin-when-cross-origin"


def compose_transport(scheme: str, hsts_days: int) -> Headers:
    """Return HSTS for whoever came over TLS (RFC 6797, 7.2: over nothing else)."""
    if scheme != "https" or not hsts_days:
        return ()
    return (("strict-transport-security", f"max-age={hsts_days * 86400}"),)
