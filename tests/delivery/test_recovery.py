"""What a dead worker left is settled by its journal, and by nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Delivery as Rules
from newsletter.delivery.desk import PHASES
from newsletter.delivery.journal import Journal, Noted, Remains
from newsletter.delivery.owner import is_dead_owner
from newsletter.delivery.policy import Phase
from newsletter.delivery.recovery import decide_recovery, name_ledger, recover
from newsletter.errors import StoreError
from newsletter.model.delivery import Audit, Delivery, DeliveryState, Reply
from newsletter.model.edition import Edition
from newsletter.store.database import Database, open_database
from tests.delivery.conftest import NOW, audit, publish
from tests.delivery.ledgers import BOOT, FakeTransport, MoodyDatabase, Run, dead_owner

ACCEPTED = Reply(250, "2.0.0", "queued")
DOT = PHASES.index(Phase.DOT)
RCPT = PHASES.index(Phase.RCPT)


@pytest.fixture
def run(database: Database, edition: Edition, tmp_path: Path) -> Run:
    return Run(database, publish(database, edition, 10), tmp_path / "journal")


def die(run: Run, notes: Callable[[Journal, list[Delivery]], None], boot: str = BOOT) -> None:
    """Claim six deliveries, write a journal, and be gone: the lock goes with the process."""
    owner = dead_owner()
    claimed = run.claim(owner, 6)
    journal = Journal.create(run.folder, owner, name_ledger(run.database), boot, 6)
    notes(journal, claimed)
    journal.close(keep=True)


def every_kind(journal: Journal, claimed: list[Delivery]) -> None:
    """One accepted, one refused, one put off, one that was about us, one without an answer, one never begun."""
    for delivery in claimed[:5]:
        journal.begin(delivery.id)
    journal.finish(claimed[0].id, DOT, ACCEPTED)
    journal.finish(claimed[1].id, DOT, Reply(554, "5.6.0", "content"))
    journal.finish(claimed[2].id, DOT, Reply(451, "4.3.0", "later"))
    journal.finish(claimed[3].id, DOT, Reply(554, "5.7.1", "spam"))


def test_each_is_settled_by_what_was_heard(run: Run) -> None:
    die(run, every_kind)
    assert run.recover() == 6
    states = [row.state.value for _, row in sorted(run.rows().items())]
    assert states[:6] == ["sent", "failed", "deferred", "queued", "unknown", "queued"]
    assert run.audit() == Audit(10, sent=1, queued=6, deferred=1, failed=1, cancelled=0, unknown=1)
    assert run.rows()[1].reply == ACCEPTED
    assert run.recover() == 0


def test_after_a_power_failure_only_an_acceptance_is_believed(run: Run) -> None:
    """The file may be older than what was sent: a refusal in it may be an earlier try's."""
    die(run, every_kind, boot="the boot before")
    assert run.recover() == 6
    assert run.audit() == Audit(10, sent=1, queued=4, deferred=0, failed=0, cancelled=0, unknown=5)


def test_where_the_machine_tells_no_boot_no_journal_is_believed(run: Run) -> None:
    die(run, lambda journal, claimed: None, boot="")
    assert run.recover(boot="") == 6
    assert run.audit().unknown == 6


def test_a_dead_worker_without_a_journal_leaves_all_it_had_claimed_unknown(run: Run) -> None:
    run.claim(dead_owner(), 6)
    assert run.recover() == 6
    assert run.audit().unknown == 6


def test_a_living_worker_keeps_what_it_has(run: Run) -> None:
    desk = run.desk(FakeTransport(), lambda tally: None, "elsewhere/-:1:1/x")
    run.claim(desk.ledger.owner, 6)
    assert run.recover() == 0
    assert desk.ledger.journal.path.exists()


def test_who_dies_while_others_are_settled_is_left_to_the_next_who_reads_his_journal(run: Run) -> None:
    owner = dead_owner()
    claimed = run.claim(owner, 6)
    journal = Journal.create(run.folder, owner, name_ledger(run.database), BOOT, 6)  # locked, as by one who lives
    every_kind(journal, claimed)
    assert run.recover() == 0
    journal.close(keep=True)
    assert run.recover() == 6
    assert run.audit() == Audit(10, sent=1, queued=6, deferred=1, failed=1, cancelled=0, unknown=1)


def test_two_databases_may_share_a_folder(run: Run, tmp_path: Path, migrated_file: Path) -> None:
    """Another ledger's journal is left for those it belongs to."""
    die(run, every_kind)
    other_file = Path(shutil.copy(migrated_file, tmp_path / "other.db"))
    with open_database(f"sqlite:///{other_file}") as other:
        assert recover(other, run.folder, BOOT, Rules(), NOW, is_dead_owner) == 0
    assert run.recover() == 6
    assert run.audit().unknown == 1


def test_a_database_that_was_moved_knows_its_journals_by_their_owner(run: Run) -> None:
    owner = dead_owner()
    (first, *_) = run.claim(owner, 6)
    journal = Journal.create(run.folder, owner, "the name it had", BOOT, 6)
    journal.finish(first.id, DOT, ACCEPTED)
    journal.close(keep=True)
    assert run.recover() == 6
    assert run.audit() == Audit(10, sent=1, queued=9, deferred=0, failed=0, cancelled=0, unknown=0)
    assert list(run.folder.glob("*.journal")) == []


def test_a_ledger_has_one_name_whichever_path_leads_to_it(
    tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(shutil.copy(migrated_file, tmp_path / "newsletter.db"))
    monkeypatch.chdir(tmp_path)
    with open_database(f"sqlite:///{file}") as one, open_database("sqlite:///newsletter.db") as two:
        assert name_ledger(one) == name_ledger(two)
        assert str(tmp_path) not in name_ledger(one)


def test_a_ledger_that_refuses_leaves_the_journal_for_the_next(run: Run) -> None:
    die(run, every_kind)
    moody = MoodyDatabase(run.database, {1: "refuses"})
    with pytest.raises(StoreError):
        recover(moody, run.folder, BOOT, Rules(), NOW, is_dead_owner)
    assert run.recover() == 6
    assert run.audit() == Audit(10, sent=1, queued=6, deferred=1, failed=1, cancelled=0, unknown=1)


def test_killed_between_the_ledger_and_the_journal_the_next_comes_to_the_same_end(run: Run) -> None:
    die(run, every_kind)
    moody = MoodyDatabase(run.database, {1: "keeps it, and its answer is lost"})
    with pytest.raises(StoreError):
        recover(moody, run.folder, BOOT, Rules(), NOW, is_dead_owner)
    before = run.audit()
    assert run.recover() == 0
    assert run.audit() == before
    assert list(run.folder.glob("*.journal")) == []


def test_a_folder_that_cannot_be_used_is_told_before_anything_is_sent(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run.folder = tmp_path / "file"
    with pytest.raises(StoreError, match=r"file: the sender's journal can't be read.*\[delivery\] journal"):
        run.recover()


def test_several_dead_workers_are_settled_each_by_its_own_journal(run: Run) -> None:
    for name, count in (("one", 3), ("two", 2)):
        owner = dead_owner(name)
        claimed = run.claim(owner, count)
        journal = Journal.create(run.folder, owner, name_ledger(run.database), BOOT, count)
        journal.begin(claimed[0].id)
        journal.close(keep=True)
    assert run.recover() == 5
    assert audit(run.database, run.stored) == Audit(10, sent=0, queued=8, deferred=0, failed=0, cancelled=0, unknown=2)


ROW = Delivery(1, 1, 1, "ann@example.net", "", DeliveryState.SENDING, 0, NOW)
NOTES = st.builds(
    Noted,
    st.integers(1, 5),
    st.integers(0, 255),
    st.none() | st.builds(Reply, st.integers(0, 999), st.just(""), st.text(max_size=5)),
)


@given(st.lists(NOTES, max_size=8), st.booleans(), st.integers(0, 5))
def test_whatever_the_notes_say_each_claimed_row_has_one_end(notes: list[Noted], trusted: bool, count: int) -> None:
    claimed = [ROW._replace(id=number) for number in range(1, count + 1)]
    found = decide_recovery(Remains(Path(), "x", "", trusted, tuple(notes)), claimed, Rules(), NOW)
    settled = [settlement.delivery_id for settlement in found.settlements]
    assert sorted([*settled, *found.released]) == [row.id for row in claimed]
    begun = {note.delivery_id for note in notes}
    assert trusted or not found.released
    assert all(number in found.released for number in range(1, count + 1) if trusted and number not in begun)
