"""What can be configured about the web server: where it listens, whom it believes, how much it takes. Frozen values."""

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from newsletter.config.values import FilePath, Table


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("is not an IP address or network; write it like 10.0.0.1 or 10.0.0.0/8") from None


def _origin(value: str) -> str:
    if not re.fullmatch(r"(https?://)?(\*\.)?[a-zA-Z0-9.-]+(:[0-9]{1,5})?", value):
        raise ValueError("is not a site; write it like https://www.example.org")
    return value.lower()


def _host(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\]", value):
        raise ValueError("is not a host's name; write it like news.example.org, without a port")
    return value.lower()


Network = Annotated[str, AfterValidator(_network)]
Origin = Annotated[str, AfterValidator(_origin)]
Host = Annotated[str, AfterValidator(_host)]


class Web(Table):
    """The web server, `newsletter serve`: the site, and the pages on which readers join, choose and leave."""

    enabled: bool = Field(
        True,
        description="The site is served by `newsletter serve`, so its pages offer the form to subscribe and the "
        "search. false: they offer the feeds alone.",
    )
    host: Host = Field("127.0.0.1", description="The address to listen on. Put a server that speaks TLS before it.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    socket: FilePath | None = Field(
        None,
        description="Listen on this Unix socket instead of host and port; whoever connects is trusted as a proxy.",
    )
    workers: int = Field(1, ge=1, le=64, description="Processes that serve.")
    trusted_proxies: tuple[Network, ...] = Field(
        (),
        description="Addresses or networks of the proxies before it. Only they are believed when they say who asks "
        "and how.",
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for",
        description="Where they say it: X-Forwarded-For with X-Forwarded-Proto, or Forwarded (RFC 7239). The other is "
        "passed over, for a proxy hands on what a client wrote into it.",
    )
    hosts: tuple[Host, ...] = Field(
        (),
        description="More names that the server answers to, beside the one in [publication] url and localhost.",
    )
    body_kb: int = Field(64, ge=1, le=1024, description="Refuse a larger request, in kilobytes.")
    request_seconds: float = Field(20.0, gt=0, le=600, description="Give up on a request that takes longer to come in.")
    keep_alive_seconds: int = Field(30, ge=1, le=600, description="Keep an idle connection open for so long.")
    connections: int = Field(2000, ge=10, le=100_000, description="Refuse more at once, for each process.")
    drain_seconds: float = Field(10.0, gt=0, le=600, description="How long a stop waits for requests under way.")
    cache_mb: int = Field(64, ge=1, le=4096, description="Keep files of the site in memory, up to this much.")
    access_log: bool = Field(
        True,
        description="Write one line of JSON for each request to standard output; it holds no address and no link "
        "of a reader.",
    )
    embed_on: tuple[Origin, ...] = Field(
        (), description='Sites that may show the form of /embed/join in a frame: ["https://www.example.org"].'
    )
    image_hosts: tuple[Origin, ...] = Field(
        (), description="Other sites whose images the pages may show; by default only the site's own are shown."
    )
    watchers: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1/128"),
        description="Addresses or networks that may read /metrics, and why /readyz says no.",
    )
    hsts_days: int = Field(
        365,
        ge=0,
        le=3650,
        description="Tell browsers that came over TLS to come over TLS for so long (HSTS). 0: don't.",
    )
