"""What a reply means for a notice, and when it is tried again. Pure.

Unlike an edition's mail, a notice whose answer was never heard is tried again: a confirmation that is lost costs a
reader, one that comes twice costs nobody.
"""

from datetime import datetime, timedelta

from newsletter import config
from newsletter.delivery.policy import Fault, Phase, Verdict
from newsletter.model.delivery import Accepted, Refused, Reply
from newsletter.model.notice import Notice, NoticeSettlement, NoticeState

_DOUBLINGS = 20


def decide_notice(
    notice: Notice, verdict: Verdict, now: datetime, rules: config.Delivery, jitter: float
) -> NoticeSettlement:
    """Decide what is written down; `jitter` (about 1) stretches the wait. What is about us doesn't count as a try.

    Nothing is given up here: a notice that is still waiting when its time is over fails when it is next looked at.
    """
    attempts = notice.attempts + 1
    if isinstance(verdict, Accepted):
        return NoticeSettlement(notice.id, NoticeState.SENT, attempts, now, describe_reply(verdict.reply))
    if isinstance(verdict, Refused):
        return NoticeSettlement(notice.id, NoticeState.FAILED, attempts, now, describe_reply(verdict.reply))
    if stops_run(verdict):
        attempts = notice.attempts
    minutes = rules.first_retry_minutes * 2.0 ** min(notice.attempts, _DOUBLINGS)
    wait = timedelta(minutes=min(minutes, rules.longest_retry_minutes)) * jitter
    reply = describe_reply(verdict.reply)
    return NoticeSettlement(notice.id, NoticeState.QUEUED, attempts, now, reply, next_attempt_at=now + wait)


def stops_run(verdict: Verdict) -> bool:
    """Return whether a verdict bars every other notice, too; a refusal of one recipient doesn't."""
    return isinstance(verdict, Fault) and verdict.phase not in (Phase.RCPT, Phase.DATA, Phase.DOT)


def describe_reply(reply: Reply) -> str:
    """Return a server's answer on one line."""
    return " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.text) if part)
