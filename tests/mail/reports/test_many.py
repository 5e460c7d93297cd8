"""Formats and replies by the hundred: whom a bounce names and how bad it is, what a server's sentence comes to.

`formats.txt` holds bounces as many systems write them, made up after their formats, each behind a line `%% NAME
RECIPIENT SEVERITY` (`-`: it names nobody). `replies.txt` holds what servers answer, a line each behind its severity.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.mail.reports.judge import Evidence, judge
from newsletter.mail.reports.read import read_report

HERE = Path(__file__).parent


def load_formats() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, recipient, severity and mail."""
    for record in (HERE / "formats.txt").read_text().split("%% ")[1:]:
        head, _, mail = record.partition("\n")
        name, recipient, severity = head.split()
        yield name, recipient, severity, mail


FORMATS = list(load_formats())
REPLIES = [line.partition(" ")[::2] for line in (HERE / "replies.txt").read_text().splitlines()]


def test_there_are_hundreds_of_them_each_once() -> None:
    assert len({name for name, *_ in FORMATS}) == len(FORMATS) > 200
    assert len(set(REPLIES)) == len(REPLIES) > 350


@pytest.mark.parametrize(
    ("recipient", "severity", "mail"), [one[1:] for one in FORMATS], ids=[one[0] for one in FORMATS]
)
def test_a_format_gives_recipient_and_severity(recipient: str, severity: str, mail: str) -> None:
    finding = read_report(mail.encode()).findings[0]
    assert (finding.recipient or "-", finding.severity) == (recipient, severity)


def test_a_reply_is_hard_only_where_it_says_that_nobody_is_there() -> None:
    wrong = [text for severity, text in REPLIES if judge(Evidence((text,))).severity != severity]
    assert wrong == []
