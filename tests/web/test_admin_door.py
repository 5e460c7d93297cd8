"""Who gets into the admin pages, and who doesn't: off until there is a password, and nothing without it."""

import re
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from newsletter.mail.token import Purpose
from newsletter.operators.policy import IDLE, LIFE, PER_CLIENT, compose_pass, make_form_token, make_sign_in_stamp
from newsletter.store.operators import save_password_hash
from newsletter.web.admin.service import ADMIN_ACTIONS
from newsletter.web.admin.signing import _choose_place
from newsletter.web.forms import Form
from newsletter.web.visit import Visit
from tests.web.conftest import BASE, KEY, MakeTown, Town
from tests.web.scenery import PASSWORD, hash_cheaply, open_pass

ORIGIN = {"origin": BASE}
PLACES = [pattern.replace("{slug}", "2024-05-25") for pattern in ADMIN_ACTIONS]
COOKIE = "__Secure-newsletter-admin"


pytestmark = pytest.mark.usefixtures("cheap_hashes")


@pytest.fixture
def guarded(town: Town) -> Town:
    """A town with a password."""
    with town.database.transaction() as connection:
        save_password_hash(connection, hash_cheaply(), town.now)
    return town


def sign_in(town: Town, password: str = PASSWORD, client: TestClient | None = None, **form: str) -> object:
    data = {"password": password, "stamp": make_sign_in_stamp(KEY, town.now), **form}
    return (client or town.client).post("/admin/sign-in", data=data, headers=ORIGIN).status_code


@pytest.mark.parametrize("place", PLACES)
def test_without_a_password_there_is_nothing(town: Town, place: str) -> None:
    nowhere = town.client.get("/nowhere")
    for method in ("GET", "POST"):
        answer = town.client.request(method, place, headers=ORIGIN)
        assert answer.status_code in (404, 405)
        if answer.status_code == 404:
            assert answer.text == nowhere.text
            assert answer.headers.raw == nowhere.headers.raw


@pytest.mark.parametrize("place", [place for place in PLACES if not place.endswith((".css", ".js", "/sign-in"))])
def test_whoever_is_not_signed_in_is_led_to_the_sign_in_whatever_he_wants(guarded: Town, place: str) -> None:
    for cookie in ("", "x", "0" * 96, compose_pass(KEY, 1, "0" * 64, guarded.now)):
        guarded.client.cookies.clear()
        guarded.client.cookies.set(COOKIE, cookie)
        for method in ("GET", "POST"):
            answer = guarded.client.request(method, place, headers=ORIGIN)
            if answer.status_code != 405:
                assert answer.status_code == 303
                assert answer.headers["location"].startswith("/admin/sign-in")
                assert answer.content == b""


def test_the_password_opens_and_the_cookie_is_for_these_pages_alone(guarded: Town) -> None:
    stamp = make_sign_in_stamp(KEY, guarded.now)
    answer = guarded.client.post("/admin/sign-in", data={"password": PASSWORD, "stamp": stamp}, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {part.strip() for part in cookie.split(";")[1:]} >= {
        "HttpOnly",
        "Max-Age=43200",
        "Path=/admin",
        "SameSite=strict",
        "Secure",
    }
    page = guarded.client.get("/admin")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex"
    assert page.headers["referrer-policy"] == "same-origin"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_on_a_site_without_tls_the_cookie_goes_without_and_who_signs_in_is_warned(make_town: MakeTown) -> None:
    town = make_town(url="http://news.example")
    with town.database.transaction() as connection:
        save_password_hash(connection, hash_cheaply(), town.now)
    client = TestClient(town.service.app, "http://news.example", follow_redirects=False)
    assert "isn't encrypted" in client.get("/admin/sign-in").text
    data = {"password": PASSWORD, "stamp": make_sign_in_stamp(KEY, town.now)}
    answer = client.post("/admin/sign-in", data=data, headers={"origin": "http://news.example"})
    assert answer.headers["set-cookie"].startswith("newsletter-admin=")
    assert "Secure" not in answer.headers["set-cookie"]
    local = TestClient(town.service.app, "http://127.0.0.1:8000", follow_redirects=False)
    assert "isn't encrypted" not in local.get("/admin/sign-in").text


def test_a_wrong_password_and_an_old_form_are_told_and_open_nothing(guarded: Town) -> None:
    assert sign_in(guarded, "wrong horse battery staple") == 403
    assert sign_in(guarded, stamp="") == 403
    assert sign_in(guarded, stamp=make_sign_in_stamp(KEY, guarded.now - timedelta(hours=2))) == 403
    assert sign_in(guarded, stamp=guarded.token(Purpose.FORM, int(guarded.now.timestamp()))) == 403
    assert not guarded.client.cookies


@pytest.mark.parametrize(
    "origin", [{}, {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://news.example"}]
)
def test_a_password_from_another_site_is_not_even_looked_at(guarded: Town, origin: dict[str, str]) -> None:
    data = {"password": PASSWORD, "stamp": make_sign_in_stamp(KEY, guarded.now)}
    answer = guarded.client.post("/admin/sign-in", data=data, headers=origin)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_proxy_that_leaves_the_port_out_of_the_host_is_no_stranger(make_town: MakeTown) -> None:
    town = make_town(url="https://news.example:8443")
    with town.database.transaction() as connection:
        save_password_hash(connection, hash_cheaply(), town.now)
    cookie, token = open_pass(town.database, KEY, town.now)
    town.client.cookies.set(COOKIE, cookie)
    for origin, status in (("https://news.example:8443", 303), ("https://news.example:9999", 403)):
        headers = {"origin": origin, "host": "news.example"}
        assert town.client.post("/admin/sign-out", data={"token": token}, headers=headers).status_code == status
        cookie, token = open_pass(town.database, KEY, town.now)
        town.client.cookies.set(COOKIE, cookie)


def test_who_tries_too_often_is_refused_right_or_wrong_and_others_are_not(guarded: Town) -> None:
    for _ in range(PER_CLIENT.burst):
        assert sign_in(guarded, "wrong horse battery staple") == 403
    data = {"password": PASSWORD, "stamp": make_sign_in_stamp(KEY, guarded.now)}
    answer = guarded.client.post("/admin/sign-in", data=data, headers=ORIGIN)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert sign_in(guarded, client=guarded.visitor("192.0.2.2")) == 303
    guarded.wait(minutes=1)
    assert sign_in(guarded) == 303


def test_a_session_ends_an_hour_after_the_last_thing_done_and_half_a_day_after_the_first(guarded: Town) -> None:
    began = guarded.now
    sign_in(guarded)
    while guarded.now - began < LIFE - timedelta(minutes=30):
        guarded.wait(minutes=50)
        assert (guarded.client.get("/admin/editions").status_code == 200) is (guarded.now - began < LIFE)
    guarded.now = began + LIFE
    assert guarded.client.get("/admin/editions").status_code == 303


def test_a_page_that_loads_itself_keeps_no_session_alive(guarded: Town) -> None:
    sign_in(guarded)
    for _ in range(3):
        guarded.wait(minutes=19)
        for place in ("/admin/live?live=1", "/admin?live=1"):
            answer = guarded.client.get(place)
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers
    guarded.wait(seconds=IDLE.total_seconds() - 57 * 60)
    answer = guarded.client.get("/admin/live?live=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/sign-in")


def test_signing_out_ends_the_session_for_every_copy_of_its_cookie(guarded: Town) -> None:
    sign_in(guarded)
    copy = guarded.client.cookies[COOKIE]
    token = make_form_token(copy[:64])
    answer = guarded.client.post("/admin/sign-out", data={"token": token}, headers=ORIGIN)
    assert answer.status_code == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]
    thief = guarded.visitor("192.0.2.9")
    thief.cookies.set(COOKIE, copy)
    assert thief.get("/admin").status_code == 303


def test_another_password_signs_everybody_out(guarded: Town) -> None:
    sign_in(guarded)
    with guarded.database.transaction() as connection:
        save_password_hash(connection, hash_cheaply("another horse altogether"), guarded.now)
    assert guarded.client.get("/admin").status_code == 303


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (ORIGIN, ""),
        (ORIGIN, "0" * 64),
        ({"origin": "https://evil.example"}, None),
        ({"origin": "null"}, None),
        ({}, None),
        ({"sec-fetch-site": "cross-site"}, None),
    ],
)
def test_a_form_that_is_not_of_this_session_does_nothing(
    guarded: Town, headers: dict[str, str], token: str | None
) -> None:
    cookie, own = open_pass(guarded.database, KEY, guarded.now)
    guarded.client.cookies.set(COOKIE, cookie)
    data = {"token": own if token is None else token}
    answer = guarded.client.post("/admin/sign-out", data=data, headers=headers)
    assert answer.status_code == 403
    assert "Nothing was done" in answer.text
    assert guarded.client.get("/admin").status_code == 200


def test_after_signing_in_one_is_where_one_wanted_to_be(guarded: Town) -> None:
    answer = guarded.client.get("/admin/readers")
    assert answer.headers["location"] == "/admin/sign-in?to=/admin/readers"
    page = guarded.client.get(answer.headers["location"])
    found = re.search(r'name="to" value="([^"]*)"', page.text)
    assert found is not None
    data = {"password": PASSWORD, "stamp": make_sign_in_stamp(KEY, guarded.now), "to": found[1]}
    answer = guarded.client.post("/admin/sign-in", data=data, headers=ORIGIN)
    assert answer.headers["location"] == "/admin/readers"
    assert guarded.client.get("/admin/sign-in?to=/admin/readers").headers["location"] == "/admin/readers"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/admin/",
        "//evil.example/admin/",
        "/\\evil.example",
        "/admin\\..\\x",
        "/admin/../../x",
        "/adminx",
        "/admin/sign-in?to=/admin/sign-in",
        "/admin/\r\nset-cookie: x=y",
        "",
    ],
)
def test_no_other_place_is_led_to(guarded: Town, wanted: str) -> None:
    visit = Visit(guarded.house, "GET", "/admin/sign-in", Form(), Form(), "", "")
    assert _choose_place(visit, wanted) == "/admin"


def test_the_access_log_names_no_edition(guarded: Town) -> None:
    guarded.client.get("/admin/editions/2024-05-25?page=2")
    assert guarded.log()[-1]["path"] == "/admin/editions/{slug}"
