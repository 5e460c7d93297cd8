"""Letters say what they must in each language, show what is the reader's, and look right on the smallest screen."""

import re
from pathlib import Path
from typing import Literal

import pytest
from html5lib import HTMLParser
from jinja2 import Environment
from playwright.async_api import Browser

from newsletter.config import Publication, Settings
from newsletter.errors import NewsletterError
from newsletter.model.notice import Letter, LetterKind
from newsletter.render.environment import load_environment
from newsletter.render.letters import make_letter_writer
from tests.looking import CONTRASTS
from tests.render.test_mail_in_chromium import shown

TOKEN, LEAVE = "t" * 32, "l" * 32
CONFIRMS = (LetterKind.CONFIRM_JOIN, LetterKind.CONFIRM_MOVE)
ADDRESS = "o'hara&sons+jörg@example.org"

kinds = pytest.mark.parametrize("kind", LetterKind)


def make_letter(kind: LetterKind, language: str = "en", address: str = ADDRESS) -> Letter:
    return Letter(kind, language, address, TOKEN, "" if kind in CONFIRMS else LEAVE, 7)


@pytest.fixture
def environment() -> Environment:
    return load_environment()


@pytest.fixture
def settings() -> Settings:
    publication = Publication(title="Bits & Pieces", url="https://news.example.org", editor="Ada <Editor>")
    return Settings(publication=publication)


@kinds
@pytest.mark.parametrize("language", ["en", "de", "de-AT"])
def test_a_letter_has_its_link_its_address_and_who_it_is_from(
    settings: Settings, environment: Environment, kind: LetterKind, language: str
) -> None:
    said = make_letter_writer(settings, environment)(make_letter(kind, language))
    page = "c" if kind in CONFIRMS else "p"
    assert said.language == language[:2]
    assert f"https://news.example.org/{page}/{TOKEN}\n" in said.text
    assert f'href="https://news.example.org/{page}/{TOKEN}"' in said.html
    assert f"\n{ADDRESS}\n" in said.text
    assert "o&#39;hara&amp;sons+jörg@example.org" in said.html
    assert "Bits & Pieces" in said.subject
    assert "\n" not in said.subject
    for text in (said.text, said.html):
        assert "qq" not in text
        assert settings.publication.postal_address in text
    assert "Ada <Editor>" in said.text
    assert "Ada &lt;Editor&gt;" in said.html


@kinds
def test_letters_to_readers_say_how_to_end_all_mail_and_others_have_nothing_to_end(
    settings: Settings, environment: Environment, kind: LetterKind
) -> None:
    said = make_letter_writer(settings, environment)(make_letter(kind))
    leave = f"https://news.example.org/u/{LEAVE}"
    if kind in CONFIRMS:
        assert said.headers == {}
        assert "/u/" not in said.text + said.html
    else:
        assert said.headers == {
            "List-Unsubscribe": f"<{leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        assert leave in said.text
        assert leave in said.html


def test_languages_differ_and_an_unknown_one_is_the_publications(settings: Settings, environment: Environment) -> None:
    write = make_letter_writer(settings, environment)
    english, german, none = (write(make_letter(LetterKind.WELCOME, tag)) for tag in ("en", "de", ""))
    assert english.text != german.text
    assert none == english
    assert write(make_letter(LetterKind.WELCOME, "tlh")).language == "en"
    german_house = settings.model_copy(update={"publication": Publication(language="de")})
    assert make_letter_writer(german_house, environment)(make_letter(LetterKind.WELCOME, "")).language == "de"


@kinds
@pytest.mark.parametrize("language", ["en", "de"])
def test_lines_of_text_are_as_short_as_a_mails(
    settings: Settings, environment: Environment, kind: LetterKind, language: str
) -> None:
    said = make_letter_writer(settings, environment)(make_letter(kind, language, "a@example.org"))
    assert max(map(len, said.text.splitlines())) <= 72
    assert "\n\n\n\n" not in said.text
    assert said.text == said.text.strip("\n") + "\n"


@kinds
def test_the_html_is_html_and_fetches_nothing(settings: Settings, environment: Environment, kind: LetterKind) -> None:
    said = make_letter_writer(settings, environment)(make_letter(kind))
    HTMLParser(strict=False).parse(said.html)
    assert f"<title>{said.subject.replace('&', '&amp;')}</title>" in said.html
    assert not re.search(r"<(img|script|link|iframe)|@import|url\(", said.html)
    assert {
        link.partition("/u/")[0].partition("/c/")[0].partition("/p/")[0].rstrip("/") for link in _links(said.html)
    } == {"https://news.example.org"}


def _links(html: str) -> list[str]:
    return re.findall(r'href="([^"]*)"', html)


def test_an_address_that_looks_like_a_mark_is_only_an_address(settings: Settings, environment: Environment) -> None:
    letter = make_letter(LetterKind.WELCOME, address="qqtokenqq@example.org")
    said = make_letter_writer(settings, environment)(letter)
    assert "qqtokenqq@example.org" in said.text
    assert f"{TOKEN}@" not in said.text


def test_one_day_is_one_day(settings: Settings, environment: Environment) -> None:
    write = make_letter_writer(settings, environment)
    assert "works for 1 day." in write(Letter(LetterKind.CONFIRM_JOIN, "en", ADDRESS, TOKEN, days=1)).text
    assert "works for 7 days." in write(make_letter(LetterKind.CONFIRM_JOIN)).text


def test_your_own_letter_replaces_ours_and_must_have_its_link(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "notice").mkdir()
    own = tmp_path / "notice" / "welcome.txt"
    own.write_text('{% extends "default:notice/welcome.txt" %}{% block subject %}Hi{% endblock %}')
    write = make_letter_writer(settings, load_environment(tmp_path))
    assert write(make_letter(LetterKind.WELCOME)).subject == "Hi"
    own.write_text("Hi\n\nNothing more.\n")
    with pytest.raises(NewsletterError, match=r"notice/welcome\.txt: the template leaves out its link"):
        make_letter_writer(settings, load_environment(tmp_path))(make_letter(LetterKind.WELCOME))


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_letters_can_be_read_on_the_smallest_screen_by_day_and_night(
    chromium: Browser, settings: Settings, environment: Environment, scheme: Literal["light", "dark"]
) -> None:
    write = make_letter_writer(settings, environment)
    async with shown(chromium, "", 320, scheme) as page:
        for kind in LetterKind:
            letter = make_letter(kind, "de", f"{'long' * 15}@{'sub.' * 20}example.org")
            await page.set_content(write(letter).html)
            assert await page.evaluate("document.documentElement.scrollWidth") == 320
            ratios = await page.evaluate(CONTRASTS)
            assert len(ratios) > 4
            assert [text for ratio, text in ratios if ratio < 4.5] == []
