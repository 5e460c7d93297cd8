"""Checks that the site's pages may show an issue's images: browsers show those of listed sites only.

Owns when a source of a Content-Security-Policy covers an address (CSP 3, 6.7.2.6), for what `[web] image_hosts` can
hold: no paths. Mail shows any image, and so it isn't noticed there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from newsletter.issues.addresses import check_address
from newsletter.issues.check_links import list_images
from newsletter.issues.findings import Findings, shorten
from newsletter.issues.runs import Run
from newsletter.model.problem import Severity

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Pages:
    """The site's public address, and the other sites whose images its pages may show."""

    url: str
    image_hosts: Sequence[str] = ()


def check_run_images(run: Run, pages: Pages, noted: set[str], findings: Findings) -> None:
    """Note images that mail shows and the pages don't, once for each site, which is added to `noted`."""
    for source, place in list_images(run):
        fault = check_address(source, image=True)
        if (fault and fault.severity is Severity.ERROR) or shows_image(pages, source):
            continue
        origin = _origin(urlsplit(source.strip()))
        if origin not in noted:
            message = f"Mail shows this image, but the site's pages don't: they show none of {shorten(origin)}."
            hint = (
                f'Put "{shorten(origin)}" into [web] image_hosts, or set [web] enabled = false '
                "if `newsletter serve` doesn't serve the site."
            )
            findings.warning(place, "image-host", message, hint)
        noted.add(origin)


def shows_image(pages: Pages, source: str) -> bool:
    """Return whether a page of the site shows the image at an http(s) address."""
    site, image = urlsplit(pages.url), urlsplit(source.strip())
    own = f"{site.scheme}://{site.netloc}"
    return any(_covers(listed, site.scheme, image) for listed in (own, *pages.image_hosts))


def _covers(listed: str, scheme: str, image: SplitResult) -> bool:
    """Return whether a listed site covers an image; one without a scheme has that of the pages."""
    try:
        allowed = urlsplit(listed if "://" in listed else f"{scheme}://{listed}")
        wanted = allowed.port or _PORTS[allowed.scheme]
    except ValueError:
        return False  # no port that there is: browsers pass it over
    if allowed.scheme != image.scheme and (allowed.scheme, image.scheme) != ("http", "https"):
        return False
    port = image.port or _PORTS[image.scheme]
    # Whoever allows http allows the same over TLS, and then its usual port, too.
    return _covers_host(allowed.hostname or "", _host(image)) and (
        port == wanted or (wanted == _PORTS["http"] and port == _PORTS[image.scheme])
    )


def _covers_host(allowed: str, host: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def _origin(image: SplitResult) -> str:
    """Return an image's site as it is listed."""
    return f"{image.scheme}://{_host(image)}{f':{image.port}' if image.port else ''}"


def _host(image: SplitResult) -> str:
    """Return the host in ASCII, as browsers compare it."""
    host = image.hostname or ""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host
