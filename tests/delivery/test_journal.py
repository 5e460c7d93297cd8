"""The journal: what it keeps when its worker is killed, and what of it is believed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.journal import HEADER_SIZE, MAGIC, SLOT_SIZE, Journal, Remains, open_remains
from newsletter.errors import StoreError
from newsletter.model.delivery import Reply

BOOT = "boot-1"
LEDGER = "ledger"
OK = Reply(250, "2.0.0", "queued as 7")


def make(folder: Path, slots: int = 4) -> Journal:
    return Journal.create(folder, "host:1:2", LEDGER, BOOT, slots)


def die(journal: Journal) -> None:
    """Let go of the journal as a killed process does: nothing is tidied up."""
    journal._pages.close()
    os.close(journal._descriptor)


def remains(folder: Path, boot: str = BOOT) -> list[Remains]:
    with open_remains(folder, boot, lambda left: True) as found:
        return found


def test_what_was_begun_and_what_was_answered_is_found_after_death(tmp_path: Path) -> None:
    journal = make(tmp_path)
    for delivery in (11, 12, 13):
        journal.begin(delivery)
    journal.finish(12, 5, OK)
    journal.finish(13, 5, OK)
    journal.forget(13)
    die(journal)
    (left,) = remains(tmp_path)
    assert left.owner == "host:1:2"
    assert left.trusted
    assert {(note.delivery_id, note.reply) for note in left.noted} == {(11, None), (12, OK)}
    assert {note.phase for note in left.noted if note.reply} == {5}


def test_remains_are_gone_once_they_are_settled_and_stay_when_settling_fails(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.begin(1)
    die(journal)
    with pytest.raises(RuntimeError, match="disk full"), open_remains(tmp_path, BOOT, lambda left: True):
        raise RuntimeError("disk full")
    assert len(remains(tmp_path)) == 1
    assert remains(tmp_path) == []


def test_the_journal_of_a_living_worker_is_left_alone(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.begin(1)
    assert remains(tmp_path) == []
    assert journal.path.exists()


def test_a_journal_of_another_boot_is_not_believed(tmp_path: Path) -> None:
    die(make(tmp_path))
    with open_remains(tmp_path, "boot-2", lambda left: True) as (left,):
        assert not left.trusted


def test_a_journal_of_another_ledger_is_left_where_it_is(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.begin(1)
    die(journal)
    with open_remains(tmp_path, BOOT, lambda left: left.ledger == "another") as found:
        assert found == []
    (left,) = remains(tmp_path)
    assert left.ledger == LEDGER


def test_begun_again_a_message_keeps_its_slot_and_has_no_answer(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.begin(1)
    journal.finish(1, 3, Reply(421, "", "closing"))
    journal.begin(1)
    assert journal.room == 3
    assert journal.knows(1)
    journal.forget(1)
    assert not journal.knows(1)
    journal.begin(1)
    die(journal)
    assert [note.reply for note in remains(tmp_path)[0].noted] == [None]


def test_a_code_that_no_server_says_is_no_answer(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.finish(1, 3, Reply(1000, "", "impossible"))
    die(journal)
    assert [note.reply for note in remains(tmp_path)[0].noted] == [None]


def test_an_answer_without_a_begin_is_kept_too(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.finish(9, 3, Reply(550, "5.1.1", "no such user"))
    die(journal)
    (left,) = remains(tmp_path)
    assert left.noted[0].reply == Reply(550, "5.1.1", "no such user")


def test_slots_are_used_again_and_room_tells_when_there_are_none(tmp_path: Path) -> None:
    journal = make(tmp_path, slots=2)
    for delivery in range(100):
        journal.begin(delivery)
        journal.finish(delivery, 5, OK)
        journal.forget(delivery)
    journal.begin(200)
    journal.begin(201)
    assert journal.room == 0
    with pytest.raises(IndexError):
        journal.begin(202)


def test_a_long_or_odd_reply_is_cut_to_its_slot(tmp_path: Path) -> None:
    journal = make(tmp_path, slots=2)
    journal.finish(1, 5, Reply(450, "4.2.1234567890123456", "é" * 4000))
    journal.begin(2)
    die(journal)
    (left,) = remains(tmp_path)
    first, second = sorted(left.noted, key=lambda note: note.delivery_id)
    assert first.reply is not None
    assert first.reply.text.startswith("é" * 100)
    assert len(first.reply.text.encode()) <= SLOT_SIZE
    assert second.delivery_id == 2


def test_closing_with_nothing_left_removes_the_file_and_with_something_keeps_it(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.close()
    assert not journal.path.exists()
    journal = make(tmp_path)
    journal.begin(1)
    journal.close()
    assert [note.delivery_id for note in remains(tmp_path)[0].noted] == [1]


def test_a_journal_cut_short_while_it_was_made_holds_no_message(tmp_path: Path) -> None:
    (tmp_path / "host:9:9.journal").write_bytes(b"newsl")
    (left,) = remains(tmp_path)
    assert (left.owner, left.noted) == ("host:9:9", ())


FILLER = """
import resource, sys
from pathlib import Path
from newsletter.delivery.journal import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
Journal.create(Path(sys.argv[1]), "host:1:1", "ledger", "boot", 4)
"""


def test_a_journal_without_room_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FILLER, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert "StoreError" in done.stderr
    assert "Nothing was sent" in done.stderr
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=200))
def test_any_header_is_read_without_an_exception(header: bytes) -> None:
    with TemporaryDirectory() as name:
        (Path(name) / "x.journal").write_bytes(MAGIC + header)
        assert len(remains(Path(name))) == 1


@given(st.binary(max_size=HEADER_SIZE + 3 * SLOT_SIZE))
def test_any_bytes_are_read_without_an_exception(content: bytes) -> None:
    with TemporaryDirectory() as name:
        (Path(name) / "x.journal").write_bytes(MAGIC + b"x\nboot-1\nledger\n".ljust(HEADER_SIZE, b"\0") + content)
        assert len(remains(Path(name))) == 1


WRITER = """
import sys
from pathlib import Path
from newsletter.delivery.journal import Journal
from newsletter.model.delivery import Reply
journal = Journal.create(Path(sys.argv[1]), "host:1:2", "ledger", "boot-1", 8)
print("ready", flush=True)
for n in range(1, 10**9):
    journal.begin(n)
    journal.finish(n, 5, Reply(250, "2.0.0", f"reply {n}"))
    if n > 4:
        journal.forget(n - 4)
"""


@pytest.mark.parametrize("pause", [0.05, 0.1, 0.15])
def test_sigkill_at_any_instant_leaves_whole_records(tmp_path: Path, pause: float) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    time.sleep(pause)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    (left,) = remains(tmp_path)
    assert 3 <= len(left.noted) <= 6
    assert sum(note.reply is None for note in left.noted) <= 1
    for note in left.noted:
        assert note.reply is None or note.reply.text == f"reply {note.delivery_id}"


def test_a_folder_that_cant_be_used_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match=r"Nothing was sent.* name another folder in \[delivery\] journal"):
            make(folder)
        with pytest.raises(StoreError, match=r"Nothing was sent.* name another folder in \[delivery\] journal"):
            remains(folder)


def test_a_journal_that_was_cut_after_it_was_made_is_not_believed(tmp_path: Path) -> None:
    journal = make(tmp_path)
    for number in range(4):
        journal.begin(number)
    die(journal)
    whole = journal.path.read_bytes()
    for size in range(HEADER_SIZE, len(whole), 61):
        journal.path.write_bytes(whole[:size])
        (left,) = remains(tmp_path)
        assert not left.trusted, size


def test_the_journal_of_another_version_is_not_believed(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.begin(7)
    die(journal)
    journal.path.write_bytes(journal.path.read_bytes().replace(MAGIC, b"newsletter journal 2\n"))
    (left,) = remains(tmp_path)
    assert (left.owner, left.trusted, left.noted) == ("host:1:2", False, ())


def test_a_state_that_we_never_write_is_one_of_which_nobody_knows(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.begin(7)
    die(journal)
    content = bytearray(journal.path.read_bytes())
    at = next(at for at in range(HEADER_SIZE, len(content), SLOT_SIZE) if content[at])
    for state in range(3, 256):
        content[at] = state
        journal.path.write_bytes(content)
        (left,) = remains(tmp_path)
        assert [(note.delivery_id, note.reply) for note in left.noted] == [(7, None)], state
