"""The keys that sign mail: made, kept in files, and looked for in the DNS.

Owns key files and DNS answers; what a key signs is `mail.dkim`'s. Refuses a key that receivers won't take, and never
writes over a file. Never prints, logs or puts into an error what a key file holds.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.config import Dkim
from newsletter.errors import NewsletterError, UsageError
from newsletter.mail.address import normalise_address
from newsletter.mail.dkim import MIN_RSA_BITS, Ed25519Key, RsaKey, SigningKeys, parse_private_key
from newsletter.secret import read_secret, warn_if_open

if TYPE_CHECKING:
    from dns.resolver import Resolver

DNS_PATIENCE = 10.0
"""Seconds to wait for the DNS, all tries together."""


def load_signing_keys(dkim: Dkim, from_address: str) -> SigningKeys | None:
    """Return the configured keys, or None when mail goes out unsigned.

    Raises NewsletterError for a file that can't be read or holds no fitting key, and UsageError for a domain that can't
    be aligned with the one in From. Other users being able to read a key is worth a warning only: containers mount
    secrets that way.
    """
    if not dkim.key_file:
        return None
    domain = choose_domain(dkim, from_address)
    _check_alignment(domain, normalise_address(from_address).domain)
    rsa = _load_private_key(dkim.key_file, "dkim.key_file")
    if not isinstance(rsa, RSAPrivateKey):
        raise NewsletterError(f"{dkim.key_file}: dkim.key_file must be an RSA key; put this one in ed25519_key_file.")
    if not dkim.ed25519_key_file:
        return SigningKeys(domain, RsaKey(dkim.selector, rsa))
    ed25519 = _load_private_key(dkim.ed25519_key_file, "dkim.ed25519_key_file")
    if not isinstance(ed25519, Ed25519PrivateKey):
        raise NewsletterError(f"{dkim.ed25519_key_file}: dkim.ed25519_key_file must be an Ed25519 key, but it is RSA.")
    return SigningKeys(domain, RsaKey(dkim.selector, rsa), Ed25519Key(dkim.ed25519_selector, ed25519))


def choose_domain(dkim: Dkim, from_address: str) -> str:
    """Return the domain that signs, in A-labels: the configured one, else the one readers see in From."""
    return dkim.domain or normalise_address(from_address).domain


def make_signing_keys(dkim: Dkim) -> SigningKeys:
    """Make new keys for a domain and its selectors; RSA is of the size that every receiver and DNS provider takes."""
    rsa = RsaKey(dkim.selector, generate_private_key(65537, MIN_RSA_BITS))
    if not dkim.ed25519_selector:
        return SigningKeys(dkim.domain, rsa)
    return SigningKeys(dkim.domain, rsa, Ed25519Key(dkim.ed25519_selector, Ed25519PrivateKey.generate()))


def write_signing_keys(dkim: Dkim, keys: SigningKeys) -> None:
    """Write private keys to the files the settings name, mode 0600.

    Raises NewsletterError if one of them is there already, before anything is written, or if one can't be made.
    """
    files = [path for path in (dkim.key_file, dkim.ed25519_key_file) if path]
    for path in files:
        if path.exists():
            raise NewsletterError(f"{path} is there already. Choose another --selector, or another folder with --out.")
    for path, key in zip(files, keys, strict=True):
        _write_key_file(path, key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def lookup_records(name: str, server: tuple[str, int] | None) -> Sequence[str]:
    """Return the TXT records at a name; `server` is the IP address and port to ask instead of the system's.

    Raises NewsletterError when no answer can be had, which says nothing about the record.
    """
    import dns.exception
    import dns.resolver

    try:
        answer = _open_resolver(server).resolve(f"{name}.", "TXT", lifetime=DNS_PATIENCE)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ()
    except dns.exception.DNSException as error:
        raise NewsletterError(f"The DNS gives no answer about {name}: {error}") from None
    return [b"".join(record.strings).decode("ascii", "replace") for record in answer]


def _open_resolver(server: tuple[str, int] | None) -> "Resolver":
    from dns.resolver import Resolver

    if server is None:
        return Resolver()
    resolver = Resolver(configure=False)
    resolver.nameservers = [server[0]]
    resolver.port = server[1]
    return resolver


def _write_key_file(path: Path, pem: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise NewsletterError(f"{path}: the key can't be written: {error.strerror}.") from None


def _load_private_key(path: Path, key: str) -> RSAPrivateKey | Ed25519PrivateKey:
    if not path.exists():
        raise NewsletterError(
            f"{path}: {key} names no file. Put its backup back, or `newsletter dkim keygen` makes one."
        )
    pem = read_secret(path, key)
    try:
        private = parse_private_key(pem)
    except ValueError as error:
        raise NewsletterError(f"{path}: {key} {error}. `newsletter dkim keygen` makes a new one.") from None
    warn_if_open(path)
    return private


def _check_alignment(domain: str, seen: str) -> None:
    """Refuse a domain whose signatures DMARC can't count, as far as names tell without a list of public suffixes."""
    if domain.split(".")[-2:] != seen.split(".")[-2:]:
        raise UsageError(
            f"dkim.domain is {domain}, but readers see {seen} in From, and DMARC counts only signatures of the same "
            f"domain. Sign as {seen}, or change mail.from_address."
        )
