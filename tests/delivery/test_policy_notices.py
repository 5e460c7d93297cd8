"""What each answer means for a notice, and when it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.config import Delivery as Rules
from newsletter.delivery.policy import Fault, Phase, Verdict
from newsletter.delivery.policy_notices import decide_notice, stops_run
from newsletter.model.delivery import Accepted, Deferred, Refused, Reply, Unknown
from newsletter.model.notice import NewNotice, Notice, NoticeSettlement, NoticeState

NOW = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)
NEW = NewNotice("welcome", "ann@example.org", "Hi", "Hi", "en", NOW + timedelta(days=3))
RULES = Rules(first_retry_minutes=5, longest_retry_minutes=60)
LATER, NO, BARRED = Reply(450, "4.2.1", "later"), Reply(550, "5.1.1", "nobody"), Reply(550, "5.7.1", "barred")


def decide(verdict: Verdict, attempts: int = 0, jitter: float = 1.0) -> NoticeSettlement:
    return decide_notice(Notice(7, NEW, attempts, NOW), verdict, NOW, RULES, jitter)


def test_what_is_taken_is_sent_and_what_is_refused_has_failed() -> None:
    assert decide(Accepted(Reply(250, "2.0.0", "ok")), 2) == NoticeSettlement(
        7, NoticeState.SENT, 3, NOW, "250 2.0.0 ok"
    )
    assert decide(Refused(NO)) == NoticeSettlement(7, NoticeState.FAILED, 1, NOW, "550 5.1.1 nobody")


@pytest.mark.parametrize("verdict", [Deferred(LATER), Unknown(Reply(0, "", "lost")), Fault(BARRED, Phase.RCPT)])
def test_what_may_work_later_is_tried_again(verdict: Verdict) -> None:
    done = decide(verdict)
    assert (done.state, done.attempts, done.next_attempt_at) == (NoticeState.QUEUED, 1, NOW + timedelta(minutes=5))
    assert not stops_run(verdict)


def test_waits_double_up_to_the_longest_and_are_stretched_a_little() -> None:
    waits = [decide(Deferred(LATER), attempts).next_attempt_at for attempts in (0, 1, 2, 3, 4, 5, 500)]
    assert [(at - NOW).total_seconds() / 60 for at in waits if at] == [5, 10, 20, 40, 60, 60, 60]
    assert decide(Deferred(LATER), jitter=1.2).next_attempt_at == NOW + timedelta(minutes=6)


@pytest.mark.parametrize("phase", [Phase.GREETING, Phase.EHLO, Phase.TLS, Phase.AUTH, Phase.MAIL])
def test_what_is_about_us_ends_the_run_and_is_no_try(phase: Phase) -> None:
    fault = Fault(BARRED, phase)
    done = decide(fault, 2)
    assert stops_run(fault)
    assert (done.state, done.attempts) == (NoticeState.QUEUED, 2)
    assert done.next_attempt_at is not None
    assert done.next_attempt_at > NOW
