import pytest

from newsletter.config import Joining
from tests.web.conftest import MakeTown, Town

PROBLEM = "application/problem+json"


def test_a_wish_is_taken_in_whoever_has_the_address(town: Town) -> None:
    town.add_reader("known@example.org")
    answers = [town.client.post("/api/join", json={"address": f"{name}@example.org"}) for name in ("known", "new")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert answers[0].json()["status"] == "accepted"
    assert [kind for kind, _ in town.letters()] == ["already-reads", "confirm-join"]
    assert town.rung == 2


def test_a_wish_has_topics_cadence_and_language(town: Town) -> None:
    wish = {
        "address": "new@example.org",
        "topics": ["medical-llms"],
        "cadence": "weekly",
        "language": "de",
        "name": "Jo",
    }
    assert town.client.post("/api/join", json=wish).status_code == 202
    assert "Jemand, hoffentlich Sie," in town.letter()


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "address"),
        ({"address": "nonsense"}, "address"),
        ({"address": 7}, "address"),
        ({"address": "a@b.example", "cadence": "daily"}, "cadence"),
        ({"address": "a@b.example", "topics": ["nonsense"]}, "topics"),
        ({"address": "a@b.example", "topics": "medical-llms"}, "topics"),
        ({"address": "a@b.example", "language": "tlh"}, "language"),
        ({"address": "a@b.example", "admin": True}, "admin"),
        ({"address": "a@b.example", "name": "a\x00b"}, "name"),
        ({"address": "\ud800@b.example"}, "address"),
    ],
)
def test_a_wrong_field_is_named(town: Town, wish: dict[str, object], field: str) -> None:
    import json

    headers = {"content-type": "application/json"}
    answer = town.client.post("/api/join", content=json.dumps(wish).encode(), headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == PROBLEM
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["field"] == field
    assert town.letters() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 30_000, b"\xff", b"null", b'"a@b.example"', b"1e999", b"NaN"])
def test_what_is_no_wish_is_refused(town: Town, body: bytes) -> None:
    answer = town.client.post("/api/join", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == PROBLEM


def test_a_wish_of_another_type_is_refused(town: Town) -> None:
    answer = town.client.post("/api/join", data={"address": "a@b.example"})
    assert answer.status_code == 415
    assert answer.headers["accept-post"] == "application/json"


def test_who_asks_too_often_is_told_when_to_come_again(make_town: MakeTown) -> None:
    town = make_town(joining=Joining(per_client_burst=1))
    assert town.client.post("/api/join", json={"address": "a@b.example"}).status_code == 202
    refused = town.client.post("/api/join", json={"address": "c@b.example"})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "180")


def test_a_script_of_another_site_may_ask(town: Town) -> None:
    asked = {"origin": "https://www.example.org", "access-control-request-method": "POST"}
    answer = town.client.options("/api/join", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "content-type"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "query", ["", "?q=", "?q=+", f"?q={'x' * 201}", "?q=a&page=0", "?q=a&page=x", "?q=a&year=99999"]
)
def test_a_search_for_nothing_is_refused(town: Town, query: str) -> None:
    answer = town.client.get(f"/api/search{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM


def test_problems_of_the_api_are_for_programs(town: Town) -> None:
    for answer in (town.client.get("/api/nothing"), town.client.put("/api/join")):
        assert answer.headers["content-type"] == PROBLEM
        assert answer.json()["status"] == answer.status_code


def test_the_description_names_what_there_is(town: Town) -> None:
    document = town.client.get("/api/openapi.json").json()
    assert document["paths"].keys() == {"/api/join", "/api/search"}
    assert document["components"]["schemas"]["JoinWish"]["required"] == ["address"]
    assert document["servers"] == [{"url": "https://news.example"}]
