"""What the admin pages show, and that looking changes nothing."""

import re
from dataclasses import replace
from html import unescape

import pytest
from starlette.testclient import TestClient

from newsletter.errors import NewsletterError
from newsletter.model.edition import PERSONAL_FIELDS
from newsletter.model.problem import Problem, Severity
from newsletter.store.operators import save_password_hash
from newsletter.store.schema import bounces, deliveries, editions, slots
from newsletter.web.admin.service import ADMIN_ACTIONS
from newsletter.web.gate import Gate
from newsletter.web.service import make_service
from newsletter.web.visit import Sketch, sketch_nothing
from tests.web.conftest import BASE, KEY, MakeTown, Town
from tests.web.scenery import MAIL, furnish, hash_cheaply, open_pass
from tests.web.test_admin_door import COOKIE
from tests.web.test_safe_methods import dump

SKETCH = Sketch(
    "issues/2024-05-26.md",
    "Tomorrow",
    "Tomorrow's papers",
    MAIL,
    "Papers",
    (
        Problem(
            "issues/2024-05-26.md",
            12,
            5,
            Severity.ERROR,
            "empty-link",
            "The link leads nowhere.",
            "Give it an address.",
        ),
    ),
)


def enter(town: Town) -> Town:
    """Sign in; issue files are as SKETCH says."""
    house = replace(town.house, sketch=lambda name: SKETCH if name == "2024-05-26" else sketch_nothing(name))
    town.service = make_service(house, Gate(town.settings, town.lines.append))
    town.client = town.visitor("192.0.2.1")
    cookie, _ = open_pass(town.database, KEY, town.now)
    town.client.cookies.set(COOKIE, cookie)
    return town


@pytest.fixture
def office(town: Town) -> Town:
    """A furnished town, and the operator in it."""
    furnish(town.database, town.now)
    return enter(town)


@pytest.fixture
def empty(town: Town) -> Town:
    """A town on its first day."""
    with town.database.transaction() as connection:
        save_password_hash(connection, hash_cheaply(), town.now)
    return enter(town)


def read(town: Town, place: str) -> str:
    """Return the words of a page, tags taken out."""
    answer = town.client.get(place)
    assert answer.status_code == 200, place
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text)))


def test_the_overview_says_what_needs_a_human_and_what_is_under_way(office: Town) -> None:
    words = read(office, "/admin")
    assert "2024-05-24 is held: errors." in words
    assert "issues/2024-05-24.md:12:5: error: The link leads nowhere." in words
    assert "2024-05-25: 4 may or may not have their mail." in words
    assert "26 of 40, 65%" in words
    for part in ("sent 20", "unknown 4", "failed 2", "deferred 3", "queued 11"):
        assert part in words
    assert "40 +40 in 90 days" in words
    assert "1.61% of 62 mails. user unknown 1 " in words
    page = office.client.get("/admin").text
    assert '<a href="/admin/issues/2024-05-24">2024-05-24 is held' in page
    assert '<a href="/admin/editions/2024-05-25">2024-05-25: 4 may' in page
    assert page.count("<script") == 1


def test_the_first_day_has_all_pages_too(empty: Town) -> None:
    assert "Nothing needs you." in read(empty, "/admin")
    assert "Nothing was published yet." in read(empty, "/admin/editions")
    assert "There are no older ones." in read(empty, "/admin/editions?page=7")
    assert "Nothing was due." in read(empty, "/admin/schedule")
    assert "0 ±0 in 30 days" in read(empty, "/admin/readers?days=30")
    assert "Nothing came back." in read(empty, "/admin/bounces")
    assert "<script" not in empty.client.get("/admin").text


def test_what_changes_by_itself_is_given_for_each_edition_under_way(office: Town) -> None:
    page, live = (office.client.get(place).text for place in ("/admin", "/admin/live?live=1"))
    assert (
        re.findall(r'data-live="([^"]*)"', live)
        == re.findall(r'data-live="([^"]*)"', page)
        == [
            "needs",
            "edition:2024-05-25",
        ]
    )
    states = [re.findall(r'data-live-state="([^"]*)"', text) for text in (page, live)]
    assert states[0] == states[1]
    assert "26</strong> of 40" in live
    assert "refresh" not in office.client.get("/admin").headers
    assert office.client.get("/admin?live=1").headers["refresh"] == "5"
    assert office.client.get("/admin/editions/2024-05-25?live=1").headers["refresh"] == "5"
    assert "refresh" not in office.client.get("/admin/editions/2024-05-24?live=1").headers


def test_an_edition_says_where_everybody_stands_and_why(office: Town) -> None:
    words = read(office, "/admin/editions/2024-05-25")
    assert "May or may not have it: 4" in words
    assert "the connection was lost after the final dot" in words
    assert "451 4.7.1 Greylisted, please come back later" in words
    assert "DOES NOT HOLD" not in words.upper()
    assert "Pause" in words
    through = read(office, "/admin/editions/2024-05-24")
    assert "40 of 40, 100%" in through
    assert "Pause" not in through


def test_a_mail_is_shown_where_it_can_do_nothing_and_links_to_nobody(office: Town) -> None:
    for place in ("/admin/editions/2024-05-25/mail", "/admin/issues/2024-05-26/mail"):
        answer = office.client.get(place)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; ")
        assert "allow-scripts" not in policy
        assert "allow-same-origin" not in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert '<head><base target="_blank">' in answer.text
        assert "/u/each-reader-has-his-own" in answer.text
        assert not any(field in answer.text for field in PERSONAL_FIELDS)
    text = office.client.get("/admin/editions/2024-05-25/text")
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text == "Papers\neach-reader-has-his-own"


def test_an_issue_file_is_shown_as_it_is_now_with_its_problems(office: Town) -> None:
    words = read(office, "/admin/issues/2024-05-26")
    assert "1 error stops it" in words
    assert "issues/2024-05-26.md:12:5 error The link leads nowhere. Give it an address." in words
    assert "Subject: Tomorrow's papers" in words
    assert office.client.get("/admin/issues/2024-05-26/text").text == "Papers"


def test_what_editors_readers_and_servers_write_is_text(office: Town) -> None:
    bad = "<script>alert(1)</script>"
    with office.database.transaction() as connection:
        connection.execute(
            editions.update().values(title=bad, control="paused", control_reason=bad, control_at=office.now)
        )
        connection.execute(deliveries.update().values(reply_text=bad))
        connection.execute(bounces.update().values(diagnostic=bad, domain=bad))
        connection.execute(slots.update().values(detail=bad))
    places = ("", "/live?live=1", "/editions", "/editions/2024-05-25", "/schedule", "/bounces")
    for place in places:
        page = office.client.get(f"/admin{place}").text
        assert bad not in page
        assert "&lt;script&gt;" in page or "alert(1)" not in page


@pytest.mark.parametrize("name", ["2024-05-27", "..%2F..%2Fetc%2Fpasswd", "x.md", "%2e%2e", "A", "a" * 81])
def test_no_other_name_leads_to_a_file(office: Town, name: str) -> None:
    for end in ("", "/mail", "/text"):
        assert office.client.get(f"/admin/issues/{name}{end}").status_code == 404


def test_an_issue_that_cannot_be_looked_at_says_why(office: Town) -> None:
    def fail(name: str) -> Sketch:
        raise NewsletterError("email/issue.html:3: this is not a valid template.")

    house = replace(office.house, sketch=fail)
    client = TestClient(make_service(house, Gate(office.settings)).app, BASE, cookies=office.client.cookies)
    answer = client.get("/admin/issues/2024-05-26")
    assert answer.status_code == 500
    assert "email/issue.html:3: this is not a valid template." in answer.text


def test_a_day_without_a_file_says_so(office: Town) -> None:
    answer = office.client.get("/admin/issues/2024-05-27")
    assert answer.status_code == 404
    assert "There is no issue 2024-05-27." in answer.text
    assert "Sign out" in answer.text


@pytest.mark.parametrize("place", ["/admin/editions/2024-05-01", "/admin/editions/x/mail", "/admin/editions/x/text"])
def test_what_was_never_published_is_not_there(office: Town, place: str) -> None:
    assert office.client.get(place).status_code == 404


def test_slots_tell_their_day_and_what_is_wrong(office: Town) -> None:
    words = read(office, "/admin/schedule")
    assert "held 2024-05-24 due Fri 24 May, 07:30, errors" in words
    assert "issues/2024-05-24.md:31:1: error: The heading has no text." in words


def test_figures_are_of_the_days_that_were_asked_for(office: Town) -> None:
    assert "in 30 days" in read(office, "/admin/readers?days=30")
    for odd in ("", "7", "x", "-1", "9" * 99):
        assert "in 90 days" in read(office, f"/admin/readers?days={odd}")
    words = read(office, "/admin/bounces?days=30")
    assert "1.61% of 62 mails came back, 1 for good; 0 called spam" in words
    assert "user unknown 1 1.61%" in words
    assert "example.org 31 3.23% 1 0 0.00% user unknown 1" in words
    assert "reader3@example.org" in words


@pytest.mark.parametrize("page", ["0", "-1", "x", "9999", "9" * 5000, "²"])
def test_an_odd_page_is_a_page(office: Town, page: str) -> None:
    assert office.client.get(f"/admin/editions?page={page}").status_code == 200


def test_looking_changes_nothing(office: Town) -> None:
    office.wait(minutes=30)  # the cookie is renewed, too
    before = dump(office)
    seen = 0
    for pattern in ADMIN_ACTIONS:
        for name in ("2024-05-25", "2024-05-26") if "{slug}" in pattern else ("",):
            for query in ("", "?do=cancel-for-good&everybody=1&live=1&done=paused&to=/admin"):
                for method in ("GET", "HEAD"):
                    answer = office.client.request(method, pattern.replace("{slug}", name) + query)
                    assert answer.status_code in (200, 303, 404, 405)
                    seen += answer.status_code == 200
    assert seen > 50
    assert dump(office) == before


def test_the_style_and_the_script_are_kept_by_browsers_until_they_change(office: Town) -> None:
    page = office.client.get("/admin").text
    for name, kind in (("style.css", "text/css"), ("live.js", "text/javascript")):
        found = re.search(rf'"(/admin/{re.escape(name)}\?v=[0-9a-f]+)"', page)
        assert found is not None
        answer = office.client.get(found[1])
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["cache-control"] == "private, max-age=86400"


def test_a_site_below_a_path_has_its_admin_pages_there(make_town: MakeTown) -> None:
    town = make_town(url="https://news.example/daily")
    furnish(town.database, town.now)
    enter(town)
    town.client.base_url = "https://news.example"
    page = town.client.get("/daily/admin")
    assert page.status_code == 200
    assert '"/admin' not in page.text
    assert town.client.get("/admin").status_code == 404
