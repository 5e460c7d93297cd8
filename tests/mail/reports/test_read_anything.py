"""Whatever comes in gives a report: any bytes, within bounds."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.reports.read import Ours, judge_mail, read_report

OURS = Ours([b"k" * 32], "bounces.example.org", "unsubscribe@bounces.example.org")


@given(st.binary())
def test_any_bytes_give_a_report(raw: bytes) -> None:
    assert read_report(raw, OURS).names == ()
    judge_mail(raw)
