"""Mail scanners and browsers open every link: a GET or HEAD changes nothing, at any address, with any query."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.mail.token import Purpose
from newsletter.store.schema import metadata
from newsletter.web.admin.service import ADMIN_ACTIONS
from newsletter.web.service import ACTIONS
from tests.web.conftest import Town

PURPOSES = {"/c/{token}": Purpose.CONFIRM, "/p/{token}": Purpose.PREFERENCES, "/u/{token}": Purpose.UNSUBSCRIBE}
CLOSED = {"/metrics", *ADMIN_ACTIONS}  # to whoever isn't one of `[web] watchers`, and as long as there's no password
QUERIES = [
    "",
    "?do=erase-for-good",
    "?List-Unsubscribe=One-Click",
    "?fewer=weekly",
    "?address=x@example.org&do=move",
    "?lang=de",
]


def dump(town: Town) -> dict[str, list[tuple[object, ...]]]:
    with town.database.read() as connection:
        return {
            name: sorted(map(tuple, connection.execute(table.select())), key=repr)
            for name, table in metadata.tables.items()
        }


def addresses(town: Town) -> Iterator[str]:
    reader = town.add_reader()
    town.client.post("/join", data={"address": "new@example.org", "stamp": town.stamp()})
    confirm = re.search(r"/c/(\S+)", town.letter())
    assert confirm
    for pattern in ACTIONS:
        purpose = PURPOSES.get(pattern)
        if purpose is None:
            yield pattern
        elif purpose is Purpose.CONFIRM:
            yield f"/c/{confirm[1]}"
        else:
            yield pattern.replace("{token}", town.token(purpose, reader.id))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_address_changes_anything_when_it_is_looked_at(town: Town, method: str) -> None:
    places = list(addresses(town))
    assert len(places) == len(ACTIONS)
    before = dump(town)
    seen = set()
    for place in places:
        for query in QUERIES:
            for kind in ("application/x-www-form-urlencoded", "application/json"):
                answer = town.client.request(
                    method, place + query, content=b"List-Unsubscribe=One-Click", headers={"content-type": kind}
                )
                assert answer.status_code in ((404, 405) if place in CLOSED else (200, 405, 422)), place
                assert method == "GET" or answer.content == b""
                seen.add(answer.status_code)
    assert 200 in seen
    assert dump(town) == before
    assert town.rung == 1


def test_every_link_has_an_action_for_looking() -> None:
    assert all("GET" in actions for pattern, actions in ACTIONS.items() if "{token}" in pattern)
    assert PURPOSES.keys() == {pattern for pattern in ACTIONS if "{token}" in pattern}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["..", ".", "%2e%2e", "%2f", "%5c", "a", ".build.json", "issues", "%00", "~", "u", "p"]),
        max_size=6,
    )
)
def test_no_path_leads_to_what_is_not_for_the_world(town: Town, names: list[str]) -> None:
    answer = town.client.get("/" + "/".join(names))
    assert answer.status_code in (200, 308, 404, 410)
    assert '"secret"' not in answer.text
