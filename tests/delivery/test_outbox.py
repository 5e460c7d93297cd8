"""The outbox: one file a reader, whole or not at all, and never outside its folder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.outbox import OutboxTransport, file_stem, safe_name
from newsletter.errors import TransportError
from newsletter.mail.message import Envelope
from newsletter.model.delivery import Accepted, DeliveryState

MakeEnvelope = Callable[..., Envelope]


async def test_a_mail_becomes_a_file_named_after_its_reader(tmp_path: Path, envelope: Envelope) -> None:
    verdict = await OutboxTransport(tmp_path / "outbox").deliver(envelope)
    assert isinstance(verdict, Accepted)
    assert (tmp_path / "outbox/2024-05-25/ann@example.net.eml").read_bytes() == envelope.message


async def test_the_same_mail_again_is_the_same_file(tmp_path: Path, envelope: Envelope) -> None:
    outbox = OutboxTransport(tmp_path)
    assert outbox.landing is DeliveryState.QUEUED
    await outbox.deliver(envelope)
    await outbox.deliver(envelope)
    await outbox.close()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ann@example.net.eml"]


async def test_addresses_that_look_alike_keep_files_of_their_own(tmp_path: Path, make_envelope: MakeEnvelope) -> None:
    addresses = ["a/b@example.net", "a?b@example.net", "A/B@example.net", "用户@example.net", "a_b@example.net"]
    outbox = OutboxTransport(tmp_path)
    for number, address in enumerate(addresses):
        await outbox.deliver(make_envelope(address, number))
    names = [path.name.lower() for path in tmp_path.rglob("*.eml")]
    assert len(set(names)) == len(addresses)


@given(st.text())
def test_no_address_and_no_slug_leads_out_of_the_folder(text: str) -> None:
    envelope = Envelope("slug", "a" * 32, "b@example.org", text, b"", False)
    for name in (file_stem(envelope), safe_name(text)):
        assert name
        assert not name.startswith(".")
        assert not set(name) & set("/\\\0")
    assert len(file_stem(envelope)) <= 130


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, envelope: Envelope) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(TransportError, match=r"outbox/2024-05-25/ann@example\.net\.eml: the mail can't be written"):
        await OutboxTransport(tmp_path / "outbox").deliver(envelope)
    with pytest.raises(TransportError, match="can't be written"):
        await OutboxTransport(tmp_path / "outbox").deliver(replace(envelope, slug="../../etc"))
