"""Addresses that lead to the same place wherever they are read.

Owns how a relative address is made absolute. Refuses nothing: an address that can't be read is left as it is.
"""

import html
import re
from urllib.parse import urljoin

from markupsafe import Markup, escape

_TAG = re.compile(r'<[a-zA-Z](?:[^<>"]|"[^"]*")*>')
_ADDRESS = re.compile(r'(?<=\s)(href|src|cite)="([^"]*)"')


def resolve_link(address: str, base_url: str) -> str:
    """Return where an address leads on the page at `base_url`."""
    try:
        return urljoin(base_url, address)
    except ValueError:
        # An address that can't be read (`http://[`) leads nowhere from anywhere.
        return address


def resolve_links(fragment: Markup, base_url: str) -> Markup:
    """Return sanitised HTML whose relative addresses lead to where they do on the page at `base_url`."""

    def resolve(match: re.Match[str]) -> str:
        return f'{match[1]}="{escape(resolve_link(html.unescape(match[2]), base_url))}"'

    def walk(match: re.Match[str]) -> str:
        return _ADDRESS.sub(resolve, match[0])

    return Markup(_TAG.sub(walk, fragment))  # noqa: S704 - nothing but addresses changed, and those are escaped
