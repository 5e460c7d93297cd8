"""Who asks: the client's address and scheme, as far as a proxy that we trust vouches for them. Pure.

Owns how `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` (RFC 7239) are read: from the right, hop by hop, as long
as the hop is one of ours. What stands further left was said by somebody we don't know, and is never believed; nor is
the header that our proxies don't use, for they hand on what a client wrote into it.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_HOPS = 20
LONGEST_HEADER = 4096

_PAIR = re.compile(r'\s*([a-zA-Z]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*(?:;|$)')
_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: an IP address, '' where there is none to know, and the scheme that he spoke."""

    address: str = ""
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose word about others counts, and in which headers: proxies in `networks`, and whoever has no address, for a
    Unix socket is reached from this machine alone. `standard`: in `Forwarded`, else in its forerunners."""

    networks: tuple[Network, ...] = ()
    standard: bool = False

    def covers(self, peer: str) -> bool:
        """Return whether a peer is a proxy of ours."""
        return _is_covered(peer, self.networks) if peer else True


def parse_trust(networks: Sequence[str], header: str = "x-forwarded-for") -> Trust:
    """Return whom to believe from what the config says."""
    return Trust(tuple(ipaddress.ip_network(one) for one in networks), header == "forwarded")


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one proxy said of whoever came to it; None: nothing."""

    address: str | None = None
    scheme: str | None = None


def find_client(peer: str, scheme: str, headers: Mapping[str, str], trust: Trust) -> Client:
    """Return who asks. `peer` is who is connected; `headers` have lower-case names, repeated ones joined by commas."""
    client = Client(_plain(peer), scheme)
    if not trust.covers(peer):
        return client
    for hop in _hops(headers, trust):
        address = _parse_node(hop.address) if hop.address is not None else None
        if address is None:
            # This proxy of ours didn't say who came to it, so nobody further left can be known either.
            return Client(client.address, hop.scheme or client.scheme)
        client = Client(address, hop.scheme or client.scheme)
        if not trust.covers(address):
            return client
    return client


def _hops(headers: Mapping[str, str], trust: Trust) -> Iterator[_Hop]:
    """Yield what the hops said, the nearest first."""
    if trust.standard:
        yield from _parse_forwarded(headers.get("forwarded", ""))
        return
    addresses = _list(headers.get("x-forwarded-for", ""))
    schemes = _list(headers.get("x-forwarded-proto", ""))
    # Most proxies set the scheme once and append addresses; a list as long as the addresses' belongs to them in pairs.
    paired = len(schemes) == len(addresses)
    for at, address in enumerate(addresses):
        said = schemes[at] if paired else schemes[0] if schemes and at == 0 else ""
        yield _Hop(address, _scheme(said))
    if not addresses and schemes:
        yield _Hop(None, _scheme(schemes[0]))


def _list(header: str) -> list[str]:
    """Return a header's items from the right."""
    return [item.strip() for item in header[-LONGEST_HEADER:].split(",") if item.strip()][: -MOST_HOPS - 1 : -1]


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in _SCHEMES else None


def _parse_forwarded(header: str) -> Iterator[_Hop]:
    for element in _split(header[-LONGEST_HEADER:])[: -MOST_HOPS - 1 : -1]:
        pairs = _parse_pairs(element)
        if pairs is None:
            yield _Hop()
            return
        yield _Hop(pairs.get("for"), _scheme(pairs.get("proto", "")))


def _split(header: str) -> list[str]:
    """Split at commas that stand in no quotation marks."""
    return re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*"|")+', header)


def _parse_pairs(element: str) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    at = 0
    while at < len(element):
        found = _PAIR.match(element, at)
        if found is None or found.end() == at:
            return None
        value = found[2]
        quoted = value.startswith('"')
        pairs.setdefault(found[1].lower(), re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value)
        at = found.end()
    return pairs


def _parse_node(text: str) -> str | None:
    """Return the address of `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80` or `2001:db8::1`; None for any other."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::[0-9]{1,5})?", text)
    bare = bracketed[1] if bracketed else re.sub(r"^([^:]*):[0-9]{1,5}$", r"\1", text)
    return _plain(bare) or None


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    """Return an address in its usual form, '' for what is none; an IPv4 address inside an IPv6 one is the former."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


@lru_cache(maxsize=4096)
def _is_covered(peer: str, networks: tuple[Network, ...]) -> bool:
    plain = _plain(peer)
    return bool(plain) and any(ipaddress.ip_address(plain) in network for network in networks)
