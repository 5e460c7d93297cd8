"""Postfix itself, relaying to a faulty server: what it sends back is taken in.

`benchmarks/mta_bounces.py` does the same with Exim and OpenSMTPD.
"""

import os
from pathlib import Path

import pytest

from benchmarks.mta_bounces import EDITION, PATIENCE, list_faults, send
from benchmarks.mta_servers import Routes, has_postfix, make_folder, run_postfix, wait_until
from benchmarks.mta_sink import Sink
from newsletter.bounces.intake import Incoming, take_mails
from newsletter.model.verdict import Verdict, Way
from newsletter.store.bounces import list_bounces
from newsletter.store.database import open_database
from tests.bounces.conftest import Office


def test_every_bounce_finds_its_reader_and_its_verdict(tmp_path: Path) -> None:
    if not has_postfix():
        reason = "Postfix isn't installed, or this isn't root, whom Postfix wants"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    faults = list_faults("postfix")
    with Sink() as sink, make_folder() as folder, run_postfix(folder, Routes(sink.port, sink.ports)) as port:
        send(port, faults)
        assert wait_until(lambda: len(sink.kept) == len(faults), PATIENCE)
    with open_database(f"sqlite:///{tmp_path}/ledger.db") as database:
        office = Office(database, len(faults))
        taken = take_mails(office.desk, [Incoming(raw, Way.LMTP, recipient) for recipient, raw in sink.kept])
        with database.read() as connection:
            found = {one.subscriber_id: one for one in list_bounces(connection)}
    verdicts = [found[number].verdict for number in range(1, len(faults) + 1)]
    assert [(found[n].reason, found[n].severity) for n in sorted(found)] == [(f.reason, f.severity) for f in faults]
    assert {one.edition_id for one in found.values()} == {EDITION}
    assert verdicts == [Verdict.SUSPEND, *[Verdict.COUNTED] * 3, Verdict.NOTED, Verdict.NOTED]
    assert not any(one.again or one.kept for one in taken)
