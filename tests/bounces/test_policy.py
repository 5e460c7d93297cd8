"""What a report means for a reader."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import config
from newsletter.bounces.policy import PROBE_EDITION, WARNING_EDITION, judge_finding, judge_report
from newsletter.model.bounce import BLAMES_US, Finding, Reason, Report, ReportKind, Severity
from newsletter.model.verdict import Miss, Past, Verdict

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = config.Bounces(soft_issues=3, soft_days=3)
FULL = Finding(Reason.MAILBOX_FULL, Severity.SOFT)
GONE = Finding(Reason.USER_UNKNOWN, Severity.HARD)


def missed(*days: int, stage: Verdict | None = None) -> Past:
    """So many issues missed, one on each of these days ago."""
    return Past(tuple(Miss(day, NOW - day * DAY) for day in days), stage, NOW - DAY if stage else None)


def test_a_mailbox_that_is_gone_suspends_at_once() -> None:
    assert judge_finding(GONE, 7, Past(), RULES, NOW) is Verdict.SUSPEND


@pytest.mark.parametrize("reason", sorted(BLAMES_US))
@pytest.mark.parametrize("severity", [Severity.HARD, Severity.SOFT])
def test_what_blames_us_counts_against_nobody(reason: Reason, severity: Severity) -> None:
    for edition in (7, WARNING_EDITION, PROBE_EDITION):
        verdict = judge_finding(Finding(reason, severity), edition, missed(1, 2, 3, 4), RULES, NOW)
        assert verdict is Verdict.NOTED


def test_what_may_pass_is_counted_until_patience_is_over() -> None:
    assert judge_finding(FULL, 9, Past(), RULES, NOW) is Verdict.COUNTED
    assert judge_finding(FULL, 9, missed(1), RULES, NOW) is Verdict.COUNTED
    assert judge_finding(FULL, 9, missed(2, 1), RULES, NOW) is Verdict.WARN


def test_many_issues_on_one_day_are_one_day() -> None:
    past = Past(tuple(Miss(edition, NOW) for edition in range(20)))
    assert judge_finding(FULL, 21, past, RULES, NOW) is Verdict.COUNTED


def test_one_issue_that_comes_back_on_many_days_is_one_issue() -> None:
    past = Past(tuple(Miss(9, NOW - day * DAY) for day in range(1, 20)))
    assert judge_finding(FULL, 9, past, RULES, NOW) is Verdict.COUNTED


def test_a_warning_is_sent_once() -> None:
    past = missed(5, 4, 3, 2, 1, stage=Verdict.WARN)
    assert judge_finding(FULL, 9, past, RULES, NOW) is Verdict.COUNTED


def test_a_warning_that_comes_back_brings_a_probe_and_the_probe_the_end() -> None:
    assert judge_finding(FULL, WARNING_EDITION, missed(3, 2, 1, stage=Verdict.WARN), RULES, NOW) is Verdict.PROBE
    assert judge_finding(FULL, PROBE_EDITION, missed(3, 2, 1, stage=Verdict.PROBE), RULES, NOW) is Verdict.SUSPEND


def test_a_delay_is_noted() -> None:
    delay = Report(ReportKind.DELAY, (replace(FULL, severity=Severity.NONE),))
    assert judge_report(delay, 7, missed(3, 2, 1), RULES, NOW).verdict is Verdict.NOTED
    as_failed = Report(ReportKind.DELAY, (FULL,))
    assert judge_report(as_failed, 7, missed(3, 2, 1), RULES, NOW).verdict is Verdict.NOTED


@pytest.mark.parametrize("kind", [ReportKind.AUTO_REPLY, ReportKind.REPLY, ReportKind.DELIVERED, ReportKind.UNREADABLE])
def test_what_is_no_bounce_is_noted(kind: ReportKind) -> None:
    assert judge_report(Report(kind, (GONE,)), 7, Past(), RULES, NOW).verdict is Verdict.NOTED


def test_a_complaint_ends_it_and_an_unsubscribe_request_is_no_complaint() -> None:
    assert judge_report(Report(ReportKind.COMPLAINT), 7, Past(), RULES, NOW).verdict is Verdict.COMPLAINT
    assert judge_report(Report(ReportKind.UNSUBSCRIBE), 7, Past(), RULES, NOW).verdict is Verdict.LEAVE


@pytest.mark.parametrize(
    ("feedback", "verdict"), [("not-spam", Verdict.NOTED), ("", Verdict.NOTED), ("Abuse", Verdict.COMPLAINT)]
)
def test_feedback_is_a_complaint_only_when_it_says_so(feedback: str, verdict: Verdict) -> None:
    report = Report(ReportKind.FEEDBACK, feedback=feedback)
    assert judge_report(report, 7, Past(), RULES, NOW).verdict is verdict


def test_of_several_findings_the_gravest_counts() -> None:
    report = Report(ReportKind.BOUNCE, (replace(FULL, severity=Severity.NONE), FULL, GONE, FULL))
    judged = judge_report(report, 7, Past(), RULES, NOW)
    assert (judged.verdict, judged.finding) == (Verdict.SUSPEND, GONE)


def test_a_bounce_that_says_nothing_is_noted() -> None:
    judged = judge_report(Report(ReportKind.BOUNCE), 7, missed(3, 2, 1), RULES, NOW)
    assert judged.verdict is Verdict.NOTED
    assert judged.finding.reason is Reason.UNDETERMINED


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), max_size=40), st.sampled_from(list(Reason)))
def test_what_may_pass_never_ends_it_without_a_warning(misses: list[tuple[int, int]], reason: Reason) -> None:
    past = Past(tuple(Miss(edition, NOW - days * DAY) for edition, days in misses))
    verdict = judge_finding(Finding(reason, Severity.SOFT), 31, past, RULES, NOW)
    assert not verdict.ends
    if verdict is Verdict.WARN:
        assert len({edition for edition, _ in misses}) >= 2
        assert len({days for _, days in misses} | {0}) >= 3
