"""How fast messages are signed, against the ceiling and against dkimpy.

    python benchmarks/dkim_signing.py

Every contestant signs personalised messages of 40 KB with RSA-2048, in turns, so that a busy machine slows all of them.
The ceiling is `cryptography` signing a digest and doing nothing else: nothing that signs mail with it can be faster.
The ratios to both are of processor time, which neighbours on the machine leave alone; those of threads need it idle.
Exits 1 when one thread reaches less than 80 % of the ceiling, or when a signature is not valid.
"""

import argparse
import hashlib
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import count, cycle, islice

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.mail.dkim import Ed25519Key, RsaKey, SigningKeys, compose_record, prepare_signing, sign_message
from newsletter.mail.message import Frame, Personal, compose_message, encode_edition
from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition, Sender

DOMAIN, SELECTOR = "example.org", "news"
PUBLISHED_AT = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)
LEAST_OF_CEILING = 0.8
WORDS = ["sparse", "models", "<b>learn</b>", "faster", "when", "weights", "&amp;", "gradients", "stay", "small"]

Sign = Callable[[Personal], object]


def make_frame() -> Frame:
    """Return an edition on the wire: a fifth of it text, the rest HTML, with the usual three personal links in each."""
    text = "\n".join(" ".join(islice(cycle(WORDS), start, start + 12)) for start in range(90))
    rows = "\n".join(f"<tr>  <td>{' '.join(islice(cycle(WORDS), start, start + 30))}</td>" for start in range(136))
    links = f"https://n.example/u/{UNSUBSCRIBE_FIELD}\nhttps://n.example/p/{PREFERENCES_FIELD}\n"
    sender = Sender(
        name="LLM Papers Daily",
        address=f"news@{DOMAIN}",
        reply_to=f"editor@{DOMAIN}",
        bounce_domain=f"bounces.{DOMAIN}",
        unsubscribe_address=f"unsubscribe@{DOMAIN}",
        list_id=f"papers.{DOMAIN}",
        list_name="LLM Papers Daily",
        url=f"https://news.{DOMAIN}",
    )
    edition = Edition(
        slug="2024-05-25",
        issue_date=date(2024, 5, 25),
        title="Twenty-one papers",
        subject="Twenty-one papers",
        preheader="What is new",
        language="en",
        page_url=f"https://news.{DOMAIN}/issues/2024-05-25/",
        html=rows + links,
        text=text + links,
        sender=sender,
    )
    return encode_edition(edition, PUBLISHED_AT)


def make_reader(number: int) -> Personal:
    """Return a reader's personal values; another number gives other ones."""
    token = hashlib.sha256(b"%d" % number).hexdigest()[:32].translate(str.maketrans("0189", "wxyz")).encode()
    return Personal(b'"Reader %d" <reader%d@example.net>' % (number, number), token, token[::-1], token, token)


def measure(sign: Sign, threads: int, seconds: float) -> tuple[float, float]:
    """Return how many calls `threads` threads make together in a second, and in a second of processor time."""
    counts = [0] * threads
    until = time.perf_counter() + seconds

    def run(place: int) -> None:
        readers = [make_reader(number) for number in range(place, 50 * threads, threads)]
        for done in count(1):
            sign(readers[done % len(readers)])
            if time.perf_counter() >= until:
                counts[place] = done
                return

    workers = [threading.Thread(target=run, args=(place,)) for place in range(threads)]
    started, used = time.perf_counter(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - started), sum(counts) / (time.process_time() - used)


def make_contestants(threads: int) -> dict[str, tuple[Sign, int]]:
    """Return what is measured, by name, with its number of threads; raise AssertionError for an invalid signature."""
    frame, private = make_frame(), generate_private_key(65537, 2048)
    keys = SigningKeys(DOMAIN, RsaKey(SELECTOR, private))
    both = SigningKeys(DOMAIN, keys.rsa, Ed25519Key(f"{SELECTOR}-ed25519", Ed25519PrivateKey.generate()))
    signing, signing_both = (prepare_signing(frame, each, PUBLISHED_AT) for each in (keys, both))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    digest, padding, algorithm = hashlib.sha256().digest(), PKCS1v15(), Prehashed(SHA256())

    def ours(reader: Personal) -> bytes:
        return sign_message(signing, reader)

    def bare(_: Personal) -> bytes:
        return private.sign(digest, padding, algorithm)

    def peer(reader: Personal) -> bytes:
        message = compose_message(frame, reader)
        signature: bytes = dkim.sign(message, SELECTOR.encode(), DOMAIN.encode(), pem, canonicalize=(b"relaxed",) * 2)
        return signature + message

    record = compose_record(private).encode()
    for sign in (ours, peer):
        assert dkim.verify(sign(make_reader(1)), dnsfunc=lambda *_, **__: record, minkey=2048), "invalid signature"
    print(f"a message: {len(ours(make_reader(1))):,} bytes; {os.cpu_count()} cores")
    return {
        "ours": (ours, 1),
        "ceiling": (bare, 1),
        "dkimpy": (peer, 1),
        "ours, Ed25519 too": (lambda reader: sign_message(signing_both, reader), 1),
        f"ours, {threads} threads": (ours, threads),
        f"ceiling, {threads} threads": (bare, threads),
    }


def ratio(mine: list[float], others: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(mine, others, strict=True))


def main() -> int:
    """Measure in turns, print min, median and max a second, and how they compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each contestant in each round")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    contestants = make_contestants(options.threads)
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    costs: dict[str, list[float]] = {name: [] for name in contestants}  # the same by processor time
    for _ in range(options.rounds):
        for name, (sign, threads) in contestants.items():
            rate, cost = measure(sign, threads, options.seconds)
            rates[name].append(rate)
            costs[name].append(cost)
    print(f"{'signed a second':<24}{'min':>9}{'median':>9}{'max':>9}")
    for name, found in rates.items():
        print(f"{name:<24}{min(found):>9,.0f}{statistics.median(found):>9,.0f}{max(found):>9,.0f}")
    together = f", {options.threads} threads"
    of_ceiling = ratio(costs["ours"], costs["ceiling"])
    print(f"ours / ceiling: {of_ceiling:.2f} (at least {LEAST_OF_CEILING})")
    print(f"ours / dkimpy: {ratio(costs['ours'], costs['dkimpy']):.1f}")
    print(f"ours{together} / one: {ratio(rates[f'ours{together}'], rates['ours']):.2f}")
    print(f"ceiling{together} / one: {ratio(rates[f'ceiling{together}'], rates['ceiling']):.2f}")
    return int(of_ceiling < LEAST_OF_CEILING)


if __name__ == "__main__":
    sys.exit(main())
