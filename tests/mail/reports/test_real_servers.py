"""Bounces that Debian's Postfix, Exim and OpenSMTPD wrote when their mail met a faulty server.

`benchmarks/mta_bounces.py --keep FOLDER` makes them anew, with the servers themselves.
"""

from pathlib import Path

import pytest

from benchmarks.mta_bounces import FAULTS, judge, list_faults

BOUNCES = Path(__file__).parent / "real"
SERVERS = ("exim", "opensmtpd", "postfix")


def test_each_server_met_every_fault() -> None:
    met = sorted(path.stem for path in BOUNCES.glob("*.eml"))
    assert met == sorted(f"{server}-{fault.name}" for server in SERVERS for fault in FAULTS)


@pytest.mark.parametrize("place", range(len(FAULTS)), ids=[fault.name for fault in FAULTS])
@pytest.mark.parametrize("server", SERVERS)
def test_a_bounce_gives_reader_reason_and_severity(server: str, place: int) -> None:
    fault = list_faults(server)[place]
    assert judge((BOUNCES / f"{server}-{fault.name}.eml").read_bytes(), place + 1, fault) == ""
