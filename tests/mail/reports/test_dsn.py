"""Status fields in every order and spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.reports.addresses import read_typed_address
from newsletter.mail.reports.dsn import parse_statuses, read_action
from newsletter.model.bounce import Action


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("rfc822; reader@example.com", "reader@example.com"),
        ("RFC822;<reader@example.com>", "reader@example.com"),
        ("reader@example.com", "reader@example.com"),
        ("<reader@example.com> (Reader)", "reader@example.com"),
        ("utf-8; josé@example.com", "josé@example.com"),
        ("rfc822; Reader <reader@example.com>", "reader@example.com"),
        ("rfc822;reader@example.com.", "reader@example.com"),
        ("X400; /dda.rfc-822=reader(a)example.com/P=x/C=GB/", "reader@example.com"),
        ("local; reader", ""),
        ('rfc822; "|/usr/bin/vacation reader"', ""),
        ("", ""),
    ],
)
def test_an_address_is_found_behind_its_type(value: str, address: str) -> None:
    assert read_typed_address(value) == address


@pytest.mark.parametrize(
    ("value", "action"),
    [
        ("failed", Action.FAILED),
        ("Failed (bad destination mailbox)", Action.FAILED),
        ("failure", Action.FAILED),
        ("expired", Action.FAILED),
        ("delayed", Action.DELAYED),
        ("relayed", Action.RELAYED),
        ("what", None),
    ],
)
def test_an_action_is_read_in_any_spelling(value: str, action: Action | None) -> None:
    assert read_action(value) is action


def recipients(text: str) -> list[str]:
    return [status.recipient for status in parse_statuses(text, 100)]


def test_groups_need_no_empty_lines() -> None:
    text = "Final-Recipient: a@x.example\nAction: failed\nFinal-Recipient: b@x.example\nAction: failed\n"
    assert recipients(text) == ["a@x.example", "b@x.example"]


def test_a_group_may_begin_with_its_action() -> None:
    text = "Action: failed\nFinal-Recipient: a@x.example\n\nAction: delayed\nFinal-Recipient: b@x.example\n"
    assert recipients(text) == ["a@x.example", "b@x.example"]


def test_empty_lines_within_a_group_are_no_groups() -> None:
    text = "Final-Recipient: a@x.example\n\nAction: failed\n\nStatus: 5.1.1\n"
    (status,) = parse_statuses(text, 100)
    assert (status.recipient, status.action, status.status) == ("a@x.example", Action.FAILED, "5.1.1")


def test_continuation_lines_need_no_indent() -> None:
    text = "Final-Recipient: a@x.example\nDiagnostic-Code: smtp; 550-5.1.1 no\n550 5.1.1 such user\nAction: failed\n"
    (status,) = parse_statuses(text, 100)
    assert status.diagnostic == "550-5.1.1 no 550 5.1.1 such user"
    assert status.action is Action.FAILED


def test_the_original_recipient_stands_in_for_a_final_one_that_is_no_address() -> None:
    (status,) = parse_statuses("Original-Recipient: rfc822;a@x.example\nFinal-Recipient: local;|prog\n", 100)
    assert (status.recipient, status.original_recipient) == ("a@x.example", "a@x.example")


def test_a_remark_behind_the_status_is_a_diagnostic() -> None:
    (status,) = parse_statuses("Final-Recipient: a@x.example\nStatus: 5.1.1 (bad mailbox)\n", 100)
    assert (status.status, status.diagnostic) == ("5.1.1", "bad mailbox")


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse_statuses(text, 10)
    read_typed_address(text)
