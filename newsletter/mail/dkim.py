"""DKIM: signs each reader's message with the publication's own domain (RFC 6376, 8301, 8463).

Owns the canonical form of an edition, the DKIM-Signature header and the DNS record. Signs with RSA, and with Ed25519 in
addition; refuses Ed25519 alone and RSA keys that receivers won't take.

An edition is canonicalised once (relaxed/relaxed). Personal fields hold neither blanks nor line ends, so that they are
spliced into the canonical form just as they are into the message, and the hash of what comes before the body's first is
only copied. What is left for a reader is hashing the rest, and the signature itself.

Decided here: every header of ours is signed, and those that make up what a reader sees are signed once more than they
occur, so that nobody can add a second one (RFC 6376 section 8.15). `t=` is when the edition was published and both
algorithms are deterministic, so that a retry and a resend are the same bytes. There is no `x=`, since mail may wait for
days, and no `l=`, which would let anybody append to a signed message.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from newsletter.mail.encoding import LINE_LENGTH
from newsletter.mail.message import Frame, Personal, compose_message, compose_pieces

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096
"""Receivers need not take a longer key (RFC 8301 section 3.2)."""

_SEALED = ("From", "Reply-To", "To", "Subject", "Date", "MIME-Version", "Content-Type")
_MARKS = Personal._make(b"\0%d\0" % field for field in range(len(Personal._fields)))  # a frame never holds NUL
_CUT = re.compile(rb"\0(\d)\0")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_BLANKS = re.compile(rb"[ \t]+")
_TRAILING_BLANKS = re.compile(rb"[ \t]+(?=\r\n|\Z)")


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA private key and the selector its DNS record stands under."""

    selector: str
    private: RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """An Ed25519 private key and the selector its DNS record stands under."""

    selector: str
    private: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What signs: RSA always, since many receivers know nothing else (RFC 8463 section 5). `domain` is in A-labels."""

    domain: str
    rsa: RsaKey
    ed25519: Ed25519Key | None = None

    def __iter__(self) -> Iterator[RsaKey | Ed25519Key]:
        """Yield the keys in the order of their signatures: a receiver that reads only the first should find RSA."""
        yield self.rsa
        if self.ed25519:
            yield self.ed25519


@dataclass(frozen=True, slots=True)
class _Canonical:
    """Canonical bytes: hashed up to the first personal value; then each value's number, and what follows it."""

    start: "hashlib._Hash"
    rest: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Signer:
    """One signature to make: `head` is its header up to the body's hash, `canonical` the same in canonical form."""

    sign: Callable[[bytes], bytes]
    head: bytes
    canonical: bytes


@dataclass(frozen=True, slots=True)
class SigningFrame:
    """A frame with all of its signatures that no reader changes; shared by threads, since nothing in it is written."""

    frame: Frame
    headers: _Canonical
    body: _Canonical
    signers: tuple[_Signer, ...]

    @property
    def sign_rsa(self) -> Callable[[bytes], bytes]:
        """Return what signs a digest with the RSA key."""
        return self.signers[0].sign


class Unsigned(NamedTuple):
    """One reader's message without its signatures: `digest` is what RSA has to sign, SHA-256 over all that is signed.

    `headers` has seen all signed headers but the signature's own.
    """

    signing: SigningFrame
    personal: Personal
    headers: "hashlib._Hash"
    body_hash: bytes
    digest: bytes


def prepare_signing(frame: Frame, keys: SigningKeys, published_at: datetime) -> SigningFrame:
    """Canonicalise an edition once; `published_at` is an aware time and becomes `t=`.

    Raises ValueError for a naive time, and for a domain or selector that no signature can name.
    """
    if published_at.tzinfo is None:
        raise ValueError(f"{published_at!r} has no time zone, so no signature can name it")
    head, found, body = compose_message(frame, _MARKS).partition(b"\r\n\r\n")
    if not found:
        raise ValueError("A message without an end of its headers can't be signed.")
    headers = re.split(rb"\r\n(?![ \t])", head)[::-1]  # from the last up, as receivers look for them (section 5.4.2)
    headers.sort(key=lambda header: b"\0" in header)  # what is personal comes last: it can't be hashed beforehand
    names = [header.partition(b":")[0].decode() for header in headers]
    return SigningFrame(
        frame=frame,
        headers=_begin_hash(b"".join(_relax_header(header) + b"\r\n" for header in headers)),
        body=_begin_hash(_relax_body(body)),
        signers=tuple(_prepare_signer(key, keys.domain, names, int(published_at.timestamp())) for key in keys),
    )


def sign_message(signing: SigningFrame, personal: Personal) -> bytes:
    """Return one reader's whole message, its signatures before its other headers."""
    return b"".join(sign_pieces(signing, personal))


def sign_pieces(signing: SigningFrame, personal: Personal) -> list[bytes]:
    """Return what `sign_message` does, in pieces (`mail.message.compose_pieces`).

    Any number of threads may sign with one frame at the same time; RSA, nearly all of the work, holds no lock.
    """
    unsigned = prepare_signature(signing, personal)
    return finish_signature(unsigned, signing.sign_rsa(unsigned.digest))


def prepare_signature(signing: SigningFrame, personal: Personal) -> Unsigned:
    """Hash one reader's message, so that only the RSA key is missing; whoever has it may sign many digests at once."""
    values = Personal(_relax_value(personal.to), *personal[1:])
    body_hash = b64encode(_finish_hash(signing.body, values).digest())
    headers = _finish_hash(signing.headers, values)
    digest = _hash_signature(signing.signers[0], headers.copy(), body_hash)
    return Unsigned(signing, personal, headers, body_hash, digest)


def finish_signature(unsigned: Unsigned, rsa: bytes) -> list[bytes]:
    """Return the message in pieces; `rsa` is the signature of `unsigned.digest`."""
    signing, personal, headers, body_hash, _ = unsigned
    first, *others = signing.signers
    signatures = [_compose_signature(first, body_hash, rsa)]
    for signer in others:
        made = signer.sign(_hash_signature(signer, headers.copy(), body_hash))
        signatures.append(_compose_signature(signer, body_hash, made))
    return [*signatures, *compose_pieces(signing.frame, personal)]


def parse_private_key(pem: bytes) -> RSAPrivateKey | Ed25519PrivateKey:
    """Return the private key in a PEM file; ValueError with half a sentence for one that can't sign mail."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("is locked with a password; sending has nobody to ask for it") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a private key in PEM form") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("is neither an RSA nor an Ed25519 key, and DKIM knows no others")
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise ValueError(f"is an RSA key of {key.key_size} bits; receivers want {MIN_RSA_BITS} to {MAX_RSA_BITS}")
    return key


def compose_record(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    """Return the value of the TXT record that publishes a key (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
    if isinstance(key, Ed25519PrivateKey):
        return f"v=DKIM1; k=ed25519; p={b64encode(key.public_key().public_bytes_raw()).decode()}"
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={b64encode(public).decode()}"


def name_record(selector: str, domain: str) -> str:
    """Return the name in the DNS that a key's record stands under."""
    return f"{selector}._domainkey.{domain}"


def render_record(name: str, value: str) -> str:
    """Return a TXT record as lines of a zone file, its value in strings of at most 255 octets (RFC 1035)."""
    strings = [f'    "{value[start : start + 255]}"' for start in range(0, len(value), 255)]
    return "\n".join([f"{name}. IN TXT (", *strings, ")"])


def check_record(expected: str, found: Sequence[str]) -> str:
    """Return what is wrong with the TXT records found in the place of the expected one, or an empty string."""
    records = [tags for tags in map(_parse_tags, found) if tags.get("v", "DKIM1") == "DKIM1" and "p" in tags]
    if len(records) != 1:
        return "There is no DKIM record." if not records else "There is more than one DKIM record; receivers pick any."
    wanted, tags = _parse_tags(expected), records[0]
    if not tags["p"]:
        return "The record revokes its key (p= is empty)."
    if (tags.get("k", "rsa"), tags["p"]) != (wanted["k"], wanted["p"]):
        return "The record publishes another key."
    if "sha256" not in tags.get("h", "sha256").split(":"):
        return "The record allows no SHA-256 (h=), which signatures use."
    if "y" in tags.get("t", "").split(":"):
        return "The record says that signatures are only a test (t=y), so receivers pass over them."
    return ""


def _parse_tags(record: str) -> dict[str, str]:
    """Read a tag list (RFC 6376 section 3.2); blanks mean nothing in any tag that is looked at here."""
    tags = (tag.partition("=") for tag in re.sub(r"\s", "", record).split(";"))
    return {name: value for name, equals, value in tags if equals}


def _prepare_signer(key: RsaKey | Ed25519Key, domain: str, names: Sequence[str], timestamp: int) -> _Signer:
    for name in (domain, key.selector):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} can't stand in a DKIM signature.")
    algorithm = "rsa" if isinstance(key, RsaKey) else "ed25519"
    tags = ["v=1;", f"a={algorithm}-sha256;", "c=relaxed/relaxed;", f"d={domain};", f"i=@{domain};"]
    tags += [f"s={key.selector};", f"t={timestamp};"]
    head = _fold_tags(tags, [*names, *_SEALED]) + b"\r\n bh="
    return _Signer(_prepare_sign(key), head, _relax_header(head))


def _prepare_sign(key: RsaKey | Ed25519Key) -> Callable[[bytes], bytes]:
    """Return what signs a SHA-256 digest; Ed25519 hashes that once more by itself (RFC 8463 section 3)."""
    if isinstance(key, Ed25519Key):
        return key.private.sign
    return partial(key.private.sign, padding=PKCS1v15(), algorithm=Prehashed(SHA256()))


def _fold_tags(tags: Sequence[str], names: Sequence[str]) -> bytes:
    """Return the signature's header up to and with `h=`, folded between tags and between names in `h=`."""
    signed = [f"{name}:" for name in names[:-1]] + [f"{names[-1]};"]
    pieces = [f" {tag}" for tag in tags] + [f" h={signed[0]}", *signed[1:]]
    lines = ["DKIM-Signature:"]
    for piece in pieces:
        if len(lines[-1]) + len(piece) > LINE_LENGTH:
            lines.append(f" {piece.lstrip()}")
        else:
            lines[-1] += piece
    return "\r\n".join(lines).encode()


def _hash_signature(signer: _Signer, headers: "hashlib._Hash", body_hash: bytes) -> bytes:
    """Return the digest to sign; `headers` has seen all signed headers and is used up."""
    headers.update(b"%b%b; b=" % (signer.canonical, body_hash))  # its own b= counts as empty, and no CRLF follows
    return headers.digest()


def _compose_signature(signer: _Signer, body_hash: bytes, signature: bytes) -> bytes:
    """Return one DKIM-Signature header."""
    value = b"b=" + b64encode(signature)
    width = LINE_LENGTH - 1
    lines = [value[start : start + width] for start in range(0, len(value), width)]
    return b"%b%b;\r\n %b\r\n" % (signer.head, body_hash, b"\r\n ".join(lines))


def _relax_header(line: bytes) -> bytes:
    """Return one header field, without its line end, in relaxed form (RFC 6376 section 3.4.2)."""
    name, _, value = line.partition(b":")
    return name.strip().lower() + b":" + _relax_value(value)


def _relax_value(value: bytes) -> bytes:
    return b" ".join(value.replace(b"\r\n", b"").split())  # no header of ours holds other blanks than these


def _relax_body(body: bytes) -> bytes:
    """Return a body in relaxed form (RFC 6376 section 3.4.4)."""
    lines = _BLANKS.sub(b" ", _TRAILING_BLANKS.sub(b"", body)).rstrip(b"\r\n")
    return lines + b"\r\n" if lines else b""


def _begin_hash(canonical: bytes) -> _Canonical:
    first, *others = _CUT.split(canonical)
    fields, segments = map(int, others[::2]), others[1::2]
    return _Canonical(hashlib.sha256(first), tuple(zip(fields, segments, strict=True)))


def _finish_hash(canonical: _Canonical, values: Personal) -> "hashlib._Hash":
    hashed = canonical.start.copy()
    for field, segment in canonical.rest:
        hashed.update(values[field])
        hashed.update(segment)
    return hashed
