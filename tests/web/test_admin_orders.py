"""What an operator may order on the admin pages: the same as on the command line, and nothing without a button."""

from datetime import date

import pytest
from starlette.testclient import TestClient

from newsletter.model.control import ControlState
from newsletter.model.delivery import Audit
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Slot, SlotKey, SlotState, Why
from newsletter.store.controls import halt_edition, load_control
from newsletter.store.deliveries import count_deliveries
from newsletter.store.slots import find_slot
from tests.web.conftest import BASE, KEY, Town
from tests.web.scenery import furnish, open_pass
from tests.web.test_admin_door import COOKIE

PLACE = "/admin/editions/2024-05-25"
THROUGH, UNDER_WAY = 1, 2


class Office:
    """The operator at his desk."""

    def __init__(self, town: Town) -> None:
        furnish(town.database, town.now)
        cookie, self.token = open_pass(town.database, KEY, town.now)
        town.client.cookies.set(COOKIE, cookie)
        self.town = town

    def press(self, do: str, place: str = PLACE, **form: object) -> object:
        """Press a button; return where it led, or what was said instead."""
        data = {"token": self.token, "do": do, **form}
        answer = self.town.client.post(place, data=data, headers={"origin": BASE})
        self.status = answer.status_code
        return answer.headers.get("location") or answer.text

    def state(self) -> ControlState:
        with self.town.database.read() as connection:
            return load_control(connection, UNDER_WAY).state

    def audit(self) -> Audit:
        with self.town.database.read() as connection:
            audit = count_deliveries(connection, UNDER_WAY)
        assert audit.holds
        return audit

    def see(self, place: str = PLACE) -> str:
        return self.town.client.get(place).text


@pytest.fixture
def office(town: Town) -> Office:
    return Office(town)


def test_an_edition_is_paused_and_goes_on(office: Office) -> None:
    assert office.press("pause", reason="a link\r\nis wrong") == f"{PLACE}?done=paused"
    assert office.state() is ControlState.PAUSED
    page = office.see(f"{PLACE}?done=paused")
    assert "It is paused." in page
    assert "a link is wrong" in page
    assert 'value="resume"' in page
    assert office.press("resume") == f"{PLACE}?done=resumed"
    assert office.state() is ControlState.RUNNING


def test_a_halted_edition_says_why_and_goes_on_when_told(office: Office) -> None:
    with office.town.database.transaction() as connection:
        halt_edition(connection, UNDER_WAY, office.town.now, "Too many refusals.")
    assert "Too many refusals." in office.see()
    assert "has halted: Too many refusals." in office.see("/admin")
    office.press("resume")
    assert office.state() is ControlState.RUNNING


def test_cancelling_asks_first_and_then_it_is_final(office: Office) -> None:
    page = office.press("cancel")
    assert "Cancel it for good?" in str(page)
    assert "<strong>14</strong> readers will never get" in str(page)
    assert office.state() is ControlState.RUNNING
    assert office.press("cancel-for-good", reason="wrong list") == f"{PLACE}?done=cancelled"
    assert office.state() is ControlState.CANCELLED
    assert office.audit().cancelled == 14
    assert "cancelled on 2024-05-25" in str(office.press("resume"))
    assert office.status == 409
    assert office.state() is ControlState.CANCELLED


def test_who_is_unknown_is_sent_it_again_or_taken_as_sent(office: Office) -> None:
    before = office.audit()
    assert office.press("resend", address=["reader25@example.org"]) == f"{PLACE}?done=queued"
    assert office.audit().queued == before.queued + 1
    assert office.press("accept", address=["reader26@example.com", "reader27@example.org"]) == f"{PLACE}?done=accepted"
    assert (office.audit().sent, office.audit().unknown) == (before.sent + 2, 1)
    office.press("accept", everybody="1")
    assert office.audit().unknown == 0
    assert "May or may not" not in office.see()


@pytest.mark.parametrize(("do", "form"), [("resend", {}), ("accept", {}), ("resend", {"address": "x@example.org"})])
def test_nobody_is_moved_who_was_not_ticked_or_is_not_unknown(office: Office, do: str, form: dict[str, str]) -> None:
    before = office.audit()
    office.press(do, **form)
    assert office.status in (404, 409)
    assert office.audit() == before


@pytest.mark.parametrize("do", ["", "publish", "PAUSE"])
def test_an_unknown_button_does_nothing(office: Office, do: str) -> None:
    office.press(do)
    assert office.status == 400
    assert office.state() is ControlState.RUNNING


def test_where_nobody_waits_nothing_is_stopped(office: Office) -> None:
    assert "Nobody waits for 2024-05-24 any more" in str(office.press("pause", "/admin/editions/2024-05-24"))
    assert office.status == 409
    office.press("pause", "/admin/editions/2024-05-01")
    assert office.status == 404


@pytest.mark.parametrize("do", ["pause", "cancel-for-good", "resend", "accept"])
def test_without_its_token_from_elsewhere_or_by_a_stranger_an_order_is_none(office: Office, do: str) -> None:
    before = office.audit()
    client, form = office.town.client, {"do": do, "everybody": "1"}
    assert client.post(PLACE, data=form, headers={"origin": BASE}).status_code == 403
    signed = {**form, "token": office.token}
    assert client.post(PLACE, data=signed, headers={"origin": "https://evil.example"}).status_code == 403
    stranger = TestClient(office.town.service.app, BASE, follow_redirects=False)
    assert stranger.post(PLACE, data=signed, headers={"origin": BASE}).status_code == 303
    assert client.get(f"{PLACE}?do={do}&token={office.token}&everybody=1").status_code == 200
    assert (office.audit(), office.state()) == (before, ControlState.RUNNING)


def held(office: Office) -> Slot:
    with office.town.database.read() as connection:
        slot = find_slot(connection, SlotKey(EditionKind.ISSUE, date(2024, 5, 24)))
    assert slot is not None
    return slot


def test_a_held_day_is_let_be_by_its_button(office: Office) -> None:
    day = {"kind": "issue", "day": "2024-05-24"}
    for place in ("/admin", "/admin/schedule"):
        assert "Let it be" in office.see(place)
    assert "newsletter skip 2024-05-24" in office.see("/admin")
    assert office.press("skip", "/admin/schedule", **day) == "/admin/schedule?done=skipped"
    assert (held(office).state, held(office).why) == (SlotState.SKIPPED, Why.OPERATOR)
    page = office.see("/admin/schedule?done=skipped")
    assert "It is skipped" in page
    assert "Let it be" not in page
    assert "is held" not in office.see("/admin")
    assert office.press("skip", "/admin/schedule", **day) == "/admin/schedule?done=skipped"


@pytest.mark.parametrize(
    ("do", "form", "status"),
    [
        ("skip", {"kind": "issue", "day": "2024-05-23"}, 404),
        ("skip", {"kind": "daily", "day": "2024-05-24"}, 400),
        ("skip", {"kind": "issue", "day": "24.5.2024"}, 400),
        ("publish", {"kind": "issue", "day": "2024-05-24"}, 400),
        ("skip", {}, 400),
    ],
)
def test_no_other_day_is_let_be(office: Office, do: str, form: dict[str, str], status: int) -> None:
    office.press(do, "/admin/schedule", **form)
    assert (office.status, held(office).state) == (status, SlotState.HELD)


def test_a_day_is_let_be_by_nobody_else(office: Office) -> None:
    client, place = office.town.client, "/admin/schedule"
    form = {"do": "skip", "kind": "issue", "day": "2024-05-24"}
    assert client.post(place, data=form, headers={"origin": BASE}).status_code == 403
    signed = {**form, "token": office.token}
    assert client.post(place, data=signed, headers={"origin": "https://evil.example"}).status_code == 403
    assert client.get(place, params=signed).status_code == 200
    assert held(office).state is SlotState.HELD


def test_who_was_signed_out_meanwhile_is_told_that_nothing_was_done(office: Office) -> None:
    office.town.wait(hours=2)
    place = office.press("pause")
    assert place == "/admin/sign-in?ended=1"
    assert "You were signed out meanwhile, so nothing was done." in office.see(str(place))
    assert office.state() is ControlState.RUNNING
