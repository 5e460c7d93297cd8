"""What follows when servers refuse a mail while it is sent."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from newsletter.model.subscriber import NewSubscriber
from newsletter.store.subscribers import add_subscribers
from tests.cli.conftest import NOW, Office
from tests.conftest import _free_port

EXAMPLE = Path(__file__).parent.parent.parent / "issues" / "2024-05-25.md"


class _Refusing:
    """Knows nobody who is called gone."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        return "250 2.0.0 taken"


@pytest.fixture
def port() -> Iterator[int]:
    controller = Controller(_Refusing(), hostname="127.0.0.1", port=_free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def test_whom_his_server_does_not_know_is_suspended_by_the_publish_that_learned_it(office: Office, port: int) -> None:
    Path("issues").mkdir()
    shutil.copy(EXAMPLE, "issues")
    Path("config.toml").write_text(
        '[publication]\nurl = "https://news.acme.example"\npostal_address = "1 Some Street"\n'
        '[mail]\nfrom_address = "news@acme.example"\n'
        f'[smtp]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
    )
    with office.database.transaction() as connection:
        add_subscribers(connection, [NewSubscriber("gone@acme.example"), NewSubscriber("here@acme.example")], NOW)
    assert "1 refused" in office.run("publish", "2024-05-25")
    assert "1 suspended" in office.run("subscribers", "list", "--count")
    assert "gone@acme.example" in office.run("bounces", "list")
