"""Ten thousand wishes from one client cause as many mails as the config allows, and hold nobody else up."""

from starlette.types import Message

from newsletter.config import Joining
from tests.web.conftest import MakeTown, Town

ROUNDS = 10_000


async def post(town: Town, address: str, client: str) -> int:
    """Send one form, without a client library: ten thousand of its requests take half a minute."""
    body = f"address={address}&stamp={town.stamp()}".encode()
    parts = [{"type": "http.request", "body": body, "more_body": False}]
    status = 0

    async def receive() -> Message:
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    headers = [(b"host", b"news.example"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/join",
        "raw_path": b"/join",
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "client": (client, 50_000),
        "root_path": "",
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }
    await town.service.app(scope, receive, send)
    return status


async def test_a_flood_of_wishes_causes_no_flood_of_mails(make_town: MakeTown) -> None:
    rules = Joining(per_client_burst=10, per_client_per_hour=20)
    town = make_town(joining=rules)
    statuses = [await post(town, f"reader{at}@example.org", "192.0.2.66") for at in range(ROUNDS)]
    assert statuses.count(303) == rules.per_client_burst
    assert statuses.count(429) == ROUNDS - rules.per_client_burst
    assert len(town.letters()) == rules.per_client_burst
    assert await post(town, "somebody@example.org", "192.0.2.7") == 303
    town.wait(hours=1)
    assert [await post(town, f"later{at}@example.org", "192.0.2.66") for at in range(30)].count(303) == 10
    assert len(town.letters()) == 2 * rules.per_client_burst + 1


async def test_one_address_is_written_to_once_however_often_and_by_whom_it_is_given(make_town: MakeTown) -> None:
    town = make_town()
    statuses = {await post(town, "victim@example.org", f"192.0.2.{at}") for at in range(1, 200)}
    assert statuses == {303}
    assert town.letters() == [("confirm-join", "victim@example.org")]
    town.wait(minutes=61)
    assert await post(town, "victim@example.org", "192.0.2.1") == 303
    assert len(town.letters()) == 2
