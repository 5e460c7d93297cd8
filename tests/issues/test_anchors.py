from hypothesis import given
from hypothesis import strategies as st

from newsletter.issues.anchors import ANCHOR, compose_anchor, unused_anchor
from newsletter.model.issue import Identifier


def test_an_identifier_makes_the_anchor() -> None:
    assert compose_anchor("Any", Identifier("arxiv", "2405.16325", "v1")) == "arxiv-2405.16325"
    assert compose_anchor("Any", Identifier("arxiv", "hep-th/9901001")) == "arxiv-hep-th-9901001"
    assert compose_anchor("Any", Identifier("doi", "10.1002/(sici)1<1>")) == "doi-10.1002-sici-1-1"


def test_an_address_does_not_make_the_anchor_because_it_may_move() -> None:
    assert compose_anchor("Hello, World!", Identifier("url", "https://example.org/")) == "hello-world"


def test_a_title_is_written_in_plain_letters_and_cut_between_words() -> None:
    assert compose_anchor("Über Größe: Let’s go") == "uber-groe-lets-go"
    assert compose_anchor("word " * 30) == "-".join(["word"] * 12)


def test_a_title_without_latin_letters_gets_a_name_that_stays() -> None:
    assert compose_anchor("大模型", kind="section") == compose_anchor("大模型", kind="section")
    assert compose_anchor("大模型") != compose_anchor("模型")


def test_a_taken_anchor_gets_a_number() -> None:
    assert unused_anchor("a", {"a", "a-2"}) == "a-3"


@given(st.text(max_size=200), st.none() | st.builds(Identifier, st.just("doi"), st.text(max_size=200)))
def test_every_title_and_doi_gives_a_valid_anchor(title: str, identifier: Identifier | None) -> None:
    assert ANCHOR.fullmatch(compose_anchor(title, identifier))
