from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.address import normalise_address
from newsletter.render.mailboxes import show_mailbox


def test_a_domain_is_shown_in_letters() -> None:
    assert show_mailbox("jörg@xn--bcher-kva.example") == "jörg@bücher.example"
    assert show_mailbox("ann@news.xn--strae-oqa.xn--p1ai") == "ann@news.straße.рф"
    assert show_mailbox("Ann@example.org") == "Ann@example.org"


def test_what_is_no_label_of_letters_stays() -> None:
    assert show_mailbox("ann@xn--ü.example") == "ann@xn--ü.example"
    assert show_mailbox("ann@xn--99999999999.example") == "ann@xn--99999999999.example"


@given(st.text(max_size=80))
def test_any_text_is_shown(text: str) -> None:
    assert isinstance(show_mailbox(text), str)


def test_what_is_shown_is_the_same_address() -> None:
    for text in ("jörg@bücher.example", "ann@почта.рф", "用户@例子.广告"):
        wire = normalise_address(text).wire
        assert show_mailbox(wire) == text
        assert normalise_address(show_mailbox(wire)).wire == wire
