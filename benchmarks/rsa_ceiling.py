"""RSA and nothing else: `rsa_ceiling.py KEY_FILE SECONDS`. Nothing on this machine that signs mail can be faster.

Signs a digest again and again, with as many threads as there are cores, and prints its counts as one line of JSON.
"""

import argparse
import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def sign(key: RSAPrivateKey, until: float) -> int:
    """Return how many signatures one thread makes until then."""
    digest, padding, algorithm, count = hashlib.sha256().digest(), PKCS1v15(), Prehashed(SHA256()), 0
    while time.monotonic() < until:
        key.sign(digest, padding, algorithm)
        count += 1
    return count


def main() -> None:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("key", type=Path)
    parser.add_argument("seconds", type=float)
    words = parser.parse_args()
    key = load_pem_private_key(words.key.read_bytes(), password=None)
    assert isinstance(key, RSAPrivateKey)
    threads = len(os.sched_getaffinity(0))
    begin, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(lambda _: sign(key, begin + words.seconds), range(threads)))
    took, cpu = time.monotonic() - begin, time.process_time() - cpu
    print(json.dumps({"signatures": count, "rate": count / took, "cpu": cpu, "threads": threads}))


if __name__ == "__main__":
    main()
