import re

import pytest

from newsletter.config import Joining
from newsletter.mail.token import Purpose
from newsletter.model.consent import ConsentEvent
from newsletter.model.subscriber import Cadence
from newsletter.store.consents import list_consents
from newsletter.store.subscribers import find_subscriber
from tests.web.conftest import MakeTown, Town


def fill(town: Town, address: str = "new@example.org", **fields: object) -> dict[str, object]:
    return {"address": address, "stamp": town.stamp(), "cadence": "each", **fields}


def test_the_form_offers_topics_cadence_and_language(town: Town) -> None:
    page = town.client.get("/join").text
    assert 'name="topics" value="medical-llms"' in page
    assert re.findall(r'name="cadence" value="(\w+)"', page) == ["each", "weekly", "monthly"]
    assert ">Deutsch</option>" in page
    assert "Yes, send me this newsletter by mail." in page
    assert '<link rel="canonical" href="https://news.example/join">' in page
    assert "<script" not in page


def test_a_join_asks_the_owner_of_the_address_and_rings(town: Town) -> None:
    answer = town.client.post("/join", data=fill(town, topics=["medical-llms"], cadence="weekly", language="de"))
    assert answer.status_code == 303
    assert answer.headers["location"] == "/join/done"
    assert town.letters() == [("confirm-join", "new@example.org")]
    assert town.states() == {"new@example.org": "pending"}
    assert town.rung == 1


def test_a_reader_comes_in_by_the_link_and_not_by_looking_at_it(town: Town) -> None:
    town.client.post("/join", data=fill(town, topics=["medical-llms"], cadence="weekly", language="de"))
    link = re.search(r"https://news\.example(/c/\S+)", town.letter())
    assert link
    page = town.client.get(link[1])
    assert page.status_code == 200
    assert '<html lang="de"' in page.text
    assert "new@example.org" in page.text
    assert town.states() == {"new@example.org": "pending"}
    done = town.client.post(link[1])
    assert "Willkommen" in done.text
    assert town.states() == {"new@example.org": "active"}
    with town.database.read() as connection:
        reader = find_subscriber(connection, "new@example.org")
        assert reader is not None
        assert (reader.topics, reader.cadence, reader.language) == (frozenset({"medical-llms"}), Cadence.WEEKLY, "de")
        asked, confirmed = list_consents(connection, reader.id)
    assert (asked.event, asked.origin.source, asked.origin.client) == (ConsentEvent.ASKED, "form", "192.0.2.1")
    assert (
        asked.origin.wording
        == "Yes, send me this newsletter by mail. I can leave at any time, with one click in each mail."
    )
    assert (confirmed.event, confirmed.origin.source) == (ConsentEvent.CONFIRMED, "page")
    assert town.client.post(link[1]).status_code == 200
    preferences = re.search(r'href="(/p/[^"]+)"', done.text)
    assert preferences
    assert "new@example.org" in town.client.get(preferences[1]).text


def test_the_answer_is_the_same_for_every_address(town: Town) -> None:
    town.add_reader("known@example.org")
    leaver = town.add_reader("left@example.org")
    town.client.post(f"/u/{town.token(Purpose.UNSUBSCRIBE, leaver.id)}")
    answers = [town.client.post("/join", data=fill(town, f"{name}@example.org")) for name in ("known", "left", "new")]
    seen = {(answer.status_code, answer.text, answer.headers["location"]) for answer in answers}
    assert len(seen) == 1
    assert [kind for kind, _ in town.letters()] == ["already-reads", "confirm-join", "confirm-join"]


@pytest.mark.parametrize("address", ["jörg@münchen.example", "用户@例え.jp", "  New@Example.ORG "])
def test_addresses_of_the_whole_world_are_taken(town: Town, address: str) -> None:
    assert town.client.post("/join", data=fill(town, address)).status_code == 303
    assert len(town.letters()) == 1


@pytest.mark.parametrize("address", ["", "nobody", "a@b", "a@b.example\r\nBcc: x@y.example", "x" * 5000 + "@b.example"])
def test_what_is_no_address_is_shown_again_with_a_word_about_it(town: Town, address: str) -> None:
    answer = town.client.post("/join", data=fill(town, address, topics=["llms-agents"], cadence="monthly"))
    assert answer.status_code == 422
    assert 'aria-invalid="true" aria-describedby="address-wrong"' in answer.text
    assert "This is not a mail address." in answer.text
    assert 'value="llms-agents" checked' in answer.text
    assert 'value="monthly" checked' in answer.text
    assert town.letters() == []


def test_what_was_typed_is_escaped(town: Town) -> None:
    page = town.client.post("/join", data=fill(town, '"><script>alert(1)</script>')).text
    assert "<script" not in page
    assert "&#34;&gt;&lt;script&gt;" in page


def test_a_topic_that_nobody_offers_is_refused(town: Town) -> None:
    answer = town.client.post("/join", data=fill(town, topics=["nonsense"]))
    assert answer.status_code == 422
    assert "One of these topics" in answer.text


def test_a_form_without_a_good_stamp_is_shown_again_filled_in(town: Town) -> None:
    fresh = re.search(r'name="stamp" value="([^"]+)"', town.client.get("/join").text)
    assert fresh
    for stamp in ("", "forged", fresh[1]):
        answer = town.client.post("/join", data={"address": "new@example.org", "stamp": stamp})
        assert answer.status_code == 200
        assert "press the button again" in answer.text
        assert 'value="new@example.org"' in answer.text
    assert town.letters() == []
    town.wait(seconds=5)
    again = re.search(r'name="stamp" value="([^"]+)"', answer.text)
    assert again
    assert town.client.post("/join", data={"address": "new@example.org", "stamp": again[1]}).status_code == 303
    assert len(town.letters()) == 1


def test_who_fills_in_what_people_do_not_see_is_thanked_and_forgotten(town: Town) -> None:
    answer = town.client.post("/join", data=fill(town, website="https://spam.example"))
    assert answer.status_code == 303
    assert town.letters() == []
    assert town.states() == {}


def test_who_asks_too_often_is_told_when_to_come_again(make_town: MakeTown) -> None:
    town = make_town(joining=Joining(per_client_per_hour=6, per_client_burst=2))
    codes = [town.client.post("/join", data=fill(town, f"a{at}@example.org")).status_code for at in range(4)]
    assert codes == [303, 303, 429, 429]
    refused = town.client.post("/join", data=fill(town))
    assert refused.headers["retry-after"] == "600"
    assert "That was a little often" in refused.text
    assert town.visitor("192.0.2.2").post("/join", data=fill(town)).status_code == 303


def test_the_language_of_a_visit_goes_on_to_the_next_page_and_the_mail(town: Town) -> None:
    page = town.client.get("/join?lang=de").text
    assert '<input type="hidden" name="lang" value="de">' in page
    answer = town.client.post("/join", data=fill(town, lang="de"))
    assert answer.headers["location"] == "/join/done?lang=de"
    assert "Sehen Sie in Ihr Postfach" in town.client.get(answer.headers["location"]).text
    assert "Jemand, hoffentlich Sie," in town.letter()


def test_the_embedded_form_may_be_framed_where_the_config_says(make_town: MakeTown) -> None:
    from newsletter.config import Web

    assert "frame-ancestors 'none'" in make_town().client.get("/embed/join").headers["content-security-policy"]
    town = make_town(web=Web(embed_on=("https://www.example.org",)))
    answer = town.client.get("/embed/join")
    assert "frame-ancestors https://www.example.org;" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in town.client.get("/join").headers["content-security-policy"]
    assert '<header class="masthead">' not in answer.text
    done = town.client.post("/embed/join", data=fill(town))
    assert done.status_code == 200
    assert "Look into your mailbox" in done.text
    assert town.letters() == [("confirm-join", "new@example.org")]


def test_a_plain_snippet_on_another_site_leads_to_the_filled_in_form(town: Town) -> None:
    headers = {"origin": "https://www.example.org", "referer": "https://www.example.org/"}
    page = town.client.post("/join", data={"address": "new@example.org"}, headers=headers)
    assert page.status_code == 200
    assert 'value="new@example.org"' in page.text


@pytest.mark.parametrize("token", ["x", "a" * 32, "a" * 33, "%00", "..%2f.."])
def test_a_link_that_is_not_ours_is_too_old_or_nothing(town: Town, token: str) -> None:
    for method in ("GET", "POST"):
        assert town.client.request(method, f"/c/{token}").status_code in (404, 410)


def test_a_link_that_was_not_used_in_time_leads_to_a_new_one(town: Town) -> None:
    town.client.post("/join", data=fill(town))
    link = re.search(r"https://news\.example(/c/\S+)", town.letter())
    assert link
    town.wait(days=8)
    for answer in (town.client.get(link[1]), town.client.post(link[1])):
        assert answer.status_code == 410
        assert "This link is too old" in answer.text
        assert 'href="/join"' in answer.text
