"""What a mail says in words, and where the returned mail begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.reports.text import split_original, strip_html


@pytest.mark.parametrize(
    "ruler",
    [
        "--- Below this line is a copy of the message.",
        "------ This is a copy of the message, including all the headers. ------",
        "----- Original message -----",
        "   ----- Unsent message follows -----",
        "--------RETURNED MAIL FOLLOWS--------",
        "--- The header of the original message is following. ---",
        "|------------------------- Message header follows: ----------------------|",
        "Original message follows.",
        "Original message headers:",
        "Here is your returned mail.",
        "Included is a copy of the message header:",
        "En-têtes de message d'origine :",
        "--- Mensaje original adjunto.",
    ],
)
def test_a_quoted_mail_begins_behind_its_ruler(ruler: str) -> None:
    said, rest = split_original(
        f"Not delivered.\n\n{ruler}\n\nReceived: from x\nSubject: y\nFrom: z@example.org\n\nHello\n"
    )
    assert said.strip() == "Not delivered."
    assert rest.startswith("Received: from x")


@pytest.mark.parametrize(
    "line",
    [
        "   ----- The following addresses had permanent fatal errors -----",
        "   ----- Transcript of session follows -----",
        "------- Failure Reasons  --------",
        "|------------------------- Message log follows: -------------------------|",
        "Your message",
    ],
)
def test_other_rulers_end_nothing(line: str) -> None:
    text = f"Words.\n{line}\nreader@example.com\n"
    assert split_original(text) == (text, "")


def test_a_quoted_head_without_a_ruler_is_found() -> None:
    head = "Received: from a\nFrom: b@example.org\nTo: c@example.org\nSubject: d\nDate: e\nMessage-ID: <f@g>\n\nHello"
    assert split_original(f"Not delivered.\n\n{head}") == ("Not delivered.\n\n", head)


def test_html_becomes_lines() -> None:
    page = "<html><head><title>no</title><style>p{}</style></head><body><p>One &amp; <b>two</b></p><p>three<br>four</p>"
    assert strip_html(page) == "One & two\n\nthree\nfour"


def test_an_address_in_angle_brackets_survives_html() -> None:
    assert strip_html("<p>to <reader@example.com> and &lt;other@example.com&gt;</p>") == (
        "to <reader@example.com> and <other@example.com>"
    )


@given(st.text())
def test_any_text_is_stripped_and_split(text: str) -> None:
    strip_html(text)
    said, rest = split_original(text)
    assert len(said) + len(rest) <= len(text)
