"""The outbox: one file a reader, whole or not at all, and never outside its folder."""

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.desk import Tally
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Mail
from newsletter.delivery.outbox import OutboxTransport, file_stem, safe_name
from newsletter.delivery.policy import Phase
from newsletter.errors import TransportError
from newsletter.model.delivery import Audit, Delivery, DeliveryState
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from tests.delivery.conftest import publish
from tests.delivery.ledgers import Run

MakeMail = Callable[..., Mail]
SLUG = "2024-05-25"


async def put(outbox: OutboxTransport, *mails: Mail) -> list[Result]:
    """Hand mails over as the engine does; return what came of each."""
    waiting, results = list(mails), list[Result]()
    lane = await outbox.open_lane()
    await lane.pump(
        lambda: waiting.pop(0) if waiting else None, lambda mail: None, lambda mail, result: results.append(result)
    )
    await lane.close()
    return results


async def test_a_mail_becomes_a_file_named_after_its_reader(tmp_path: Path, mail: Mail) -> None:
    (result,) = await put(OutboxTransport(tmp_path / "outbox", SLUG), mail)
    assert (result.phase, result.reply.code) == (Phase.DOT, 250)
    assert (tmp_path / "outbox/2024-05-25/ann@example.net.eml").read_bytes() == b"".join(mail.body)


async def test_the_same_mail_again_is_the_same_file(tmp_path: Path, mail: Mail) -> None:
    outbox = OutboxTransport(tmp_path, SLUG)
    await put(outbox, mail, mail)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ann@example.net.eml"]


async def test_addresses_that_look_alike_keep_files_of_their_own(tmp_path: Path, make_mail: MakeMail) -> None:
    addresses = ["a/b@example.net", "a?b@example.net", "A/B@example.net", "用户@example.net", "a_b@example.net"]
    await put(OutboxTransport(tmp_path, SLUG), *(make_mail(address, n) for n, address in enumerate(addresses)))
    names = [path.name.lower() for path in tmp_path.rglob("*.eml")]
    assert len(set(names)) == len(addresses)


@given(st.text())
def test_no_address_and_no_slug_leads_out_of_the_folder(text: str) -> None:
    delivery = Delivery(1, 1, 7, text, "", DeliveryState.SENDING, 0, datetime(2024, 5, 25, tzinfo=UTC))
    for name in (file_stem(delivery), safe_name(text)):
        assert name
        assert not name.startswith(".")
        assert not set(name) & set("/\\\0")
    assert len(file_stem(delivery)) <= 130


@pytest.mark.parametrize("slug", [SLUG, "../../etc"])
async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, mail: Mail, slug: str) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(TransportError, match=r"outbox/[^/]+/ann@example\.net\.eml: the mail can't be written"):
        await put(OutboxTransport(tmp_path / "outbox", slug), mail)


async def test_a_stopped_outbox_writes_nothing_more(tmp_path: Path, make_mail: MakeMail) -> None:
    outbox, results = OutboxTransport(tmp_path, SLUG), list[Result]()
    lane = await outbox.open_lane()
    waiting = [make_mail(f"r{n}@example.net", n) for n in range(3)]

    def stop_after_one(mail: Mail, result: Result) -> None:
        results.append(result)
        lane.stop()

    await lane.pump(lambda: waiting.pop(0), lambda mail: None, stop_after_one)
    assert len(results) == 1
    assert len(list(tmp_path.rglob("*.eml"))) == 1
    assert len(await put(outbox, make_mail())) == 1  # the next run's lane is another


@pytest.fixture
def run(database: Database, edition: Edition, tmp_path: Path) -> Run:
    return Run(database, publish(database, edition, 120), tmp_path / "journal", ahead=50)


async def test_everybody_gets_a_file_and_the_ledger_says_so(run: Run, tmp_path: Path) -> None:
    assert await run.deliver(OutboxTransport(tmp_path / "outbox", SLUG)) == Tally(sent=120)
    assert len(list((tmp_path / "outbox" / SLUG).glob("*.eml"))) == 120
    assert run.audit().sent == 120
    assert await run.deliver(OutboxTransport(tmp_path / "outbox", SLUG)) == Tally()


async def test_an_outbox_that_is_full_gives_everything_back(run: Run, tmp_path: Path) -> None:
    blocked = tmp_path / "outbox" / SLUG / "reader60@example.net.eml"
    blocked.mkdir(parents=True)
    (blocked / "in the way").touch()
    with pytest.raises(TransportError, match=r"reader60@example\.net\.eml: the mail can't be written"):
        await run.deliver(OutboxTransport(tmp_path / "outbox", SLUG))
    written = len([path for path in blocked.parent.glob("*.eml") if path.is_file()])
    assert run.audit() == Audit(120, sent=written, queued=120 - written, deferred=0, failed=0, cancelled=0, unknown=0)
    assert {row.state for row in run.rows().values()} == {DeliveryState.SENT, DeliveryState.QUEUED}
    (blocked / "in the way").unlink()
    blocked.rmdir()
    assert await run.deliver(OutboxTransport(tmp_path / "outbox", SLUG)) == Tally(sent=120 - written)


def test_a_name_that_is_too_long_for_a_file_is_cut_and_numbered(make_mail: MakeMail) -> None:
    mail = make_mail(f"reader9{'x' * 57}@{'y' * 60}.{'z' * 60}.example", 9)
    assert file_stem(mail.key).endswith("-9")
    assert len(os.fsencode(f".{file_stem(mail.key)}.eml.4194304")) <= 255


async def test_nobody_else_may_read_the_mails(tmp_path: Path, mail: Mail) -> None:
    await put(OutboxTransport(tmp_path / "outbox", SLUG), mail)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"outbox": 0o700, SLUG: 0o700, "ann@example.net.eml": 0o600}
