"""A file's precompressed variants, for web servers that hand them out as they are. Pure; the only importer of brotli.

Owns which files have any and how hard they are pressed: the levels beyond cost many times more and save a few percent.
Equal content has equal variants, for gzip's header holds no time.
"""

import gzip

import brotli

SUFFIXES = (".gz", ".br")
"""What a variant's name ends in. Beside a file of ours, these names are ours, too."""

NO_VARIANTS = (b"", b"")

LEAST_BYTES = 512
"""A smaller file fits into one packet anyway."""

_GZIP_LEVEL = 6
_BROTLI_QUALITY = 5


def compress_variants(content: bytes) -> tuple[bytes, bytes]:
    """Return a file's gzip (RFC 1952) and Brotli (RFC 7932) variant; each is empty where it wouldn't pay."""
    if len(content) < LEAST_BYTES:
        return NO_VARIANTS
    variants = gzip.compress(content, _GZIP_LEVEL, mtime=0), brotli.compress(content, quality=_BROTLI_QUALITY)
    small, smaller = (one if len(one) < len(content) else b"" for one in variants)
    return small, smaller
