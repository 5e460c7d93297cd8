"""What a server's reply means, and what the ledger writes down for it. Pure.

Owns the judgement of SMTP replies (RFC 5321 section 4.2, RFC 3463) and the times of further tries. Refuses to blame a
reader for what is about us: a relay that doesn't let us in, our sender, our reputation.

What a reply to a command means:

    greeting, EHLO, TLS, AUTH     anything but success: about us
    MAIL                          5xx: about us
    RCPT                          5xx: this reader, but 552 (full): later
    DATA, the final dot           5xx: this message
    any of these four             4xx, 421, no reply: later; 5xx with x.7.y, with a sender that can't be verified, or
                                  with a mail that is too large: about us
    the final dot, no reply       unknown: it may have arrived
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter import config
from newsletter.model.delivery import (
    PACED,
    Accepted,
    Deferred,
    Delivery,
    DeliveryState,
    Outcome,
    Refused,
    Reply,
    Settlement,
    Unknown,
)

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|\Z)")
_TEXT_LENGTH = 500
_UNHEARD = (0, 421)
"""No reply, or the server closes this very connection: says nothing about the reader."""

_ABOUT_US = frozenset({502, 503, 504, 530, 534, 535, 538, 555})
"""Commands the server doesn't take from us, and a login it wants first (RFC 5321, 4954)."""

_SAYS_US = re.compile(r"\brelay(ing)?\b|\bsender (verify|address)\b", re.IGNORECASE)
TOO_LARGE = "5.3.4"
_OURS = ("5.1.7", "5.1.8", TOO_LARGE)
"""Our sender's address, and a message of a size that is the same for every reader (RFC 3463)."""

_MAILBOX_FULL = "5.2.2"
_DOUBLINGS = 20  # more than enough for any longest wait, and no overflow


class Phase(StrEnum):
    """What was said last when a reply came, or didn't; worded for "while saying …"."""

    GREETING = "connecting"
    EHLO = "EHLO"
    TLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    DOT = "the final dot"


@dataclass(frozen=True, slots=True)
class Fault:
    """A reply that is about us: it ends the run, blames no reader, and leaves the mail queued."""

    reply: Reply
    phase: Phase

    @property
    def temporary(self) -> bool:
        """Return whether the same may work later, or on another connection."""
        return self.reply.code < 500


Verdict = Outcome | Fault


def parse_reply(code: int, text: str) -> Reply:
    """Return a reply with its enhanced code (RFC 3463) taken off each line of the text; bounded, and safe to print."""
    printable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    lines = [re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", line).strip() for line in printable.splitlines()]
    found = _ENHANCED.match(lines[0]) if lines else None
    enhanced = found[1] if found and found[1][0] == str(code)[0] else ""
    words = " ".join(line.removeprefix(enhanced).strip() for line in lines)
    return Reply(code if 0 <= code <= 999 else 0, enhanced, words[:_TEXT_LENGTH])


def decide_outcome(reply: Reply, phase: Phase) -> Verdict:
    """Judge the reply that ended a transaction, or a connection's set-up; `reply.code` 0 means that none came.

    Every reply but the final dot's ends one by being no success.
    """
    kind = reply.code // 100
    if phase is Phase.DOT and kind == 2:
        return Accepted(reply)
    if phase in (Phase.GREETING, Phase.EHLO, Phase.TLS, Phase.AUTH):
        return Fault(reply, phase)
    if kind == 5:
        return _judge_refusal(reply, phase)
    if phase is Phase.DOT and kind != 4:
        return Unknown(reply)
    return Deferred(reply)


def _judge_refusal(reply: Reply, phase: Phase) -> Verdict:
    if phase is Phase.MAIL or reply.code in _ABOUT_US or reply.enhanced.startswith("5.7.") or reply.enhanced in _OURS:
        return Fault(reply, phase)
    # Some servers say this without an enhanced code: they don't know us, whoever the reader is.
    if phase is Phase.RCPT and not reply.enhanced and _SAYS_US.search(reply.text):
        return Fault(reply, phase)
    if (phase is Phase.RCPT and reply.code == 552) or reply.enhanced == _MAILBOX_FULL:
        return Deferred(reply)
    return Refused(reply)


def decide_settlement(
    delivery: Delivery, outcome: Outcome, now: datetime, settings: config.Delivery, jitter: float
) -> Settlement:
    """Decide what the ledger records; `jitter` (about 1) stretches the wait so that tries don't come in herds.

    Waits double with each try up to the longest. A lost connection or a 421 isn't the reader's, so it doesn't lengthen
    the next wait. After `patience_hours` since it was queued a delivery fails, but never at its first try: our own
    relay may have been away for as long.
    """
    state, next_attempt_at = _FINAL.get(type(outcome)), None
    attempts = delivery.attempts + 1
    if state is None:
        unheard = outcome.reply.code in _UNHEARD
        attempts = delivery.attempts if unheard else attempts
        doublings = 0 if unheard else delivery.attempts
        state, next_attempt_at = _wait_or_fail(delivery, now, settings, _wait(doublings, settings) * jitter)
    return Settlement(
        delivery_id=delivery.id,
        state=state,
        reply=outcome.reply,
        attempts=attempts,
        settled_at=now,
        next_attempt_at=next_attempt_at,
    )


_FINAL: dict[type[Outcome], DeliveryState] = {
    Accepted: DeliveryState.SENT,
    Refused: DeliveryState.FAILED,
    Unknown: DeliveryState.UNKNOWN,
}


def _wait(doublings: int, settings: config.Delivery) -> timedelta:
    minutes = settings.first_retry_minutes * 2.0 ** min(doublings, _DOUBLINGS)
    return timedelta(minutes=min(minutes, settings.longest_retry_minutes))


def _wait_or_fail(
    delivery: Delivery, now: datetime, settings: config.Delivery, wait: timedelta
) -> tuple[DeliveryState, datetime | None]:
    deadline = delivery.queued_at + timedelta(hours=settings.patience_hours)
    if was_tried(delivery) and now >= deadline:
        return DeliveryState.FAILED, None
    last_call = max(deadline, now + timedelta(minutes=settings.first_retry_minutes))
    return DeliveryState.DEFERRED, min(now + wait, last_call)


def was_tried(delivery: Delivery) -> bool:
    """Return whether it was handed to a relay before; one that only waited for its domain's turn was not."""
    paced = delivery.reply is not None and delivery.reply.text == PACED
    return delivery.attempts > 0 or (delivery.next_attempt_at is not None and not paced)


def describe_fault(fault: Fault, relay: str, *, queued: bool = True) -> str:
    """Say what is wrong between us and the relay, in its own words, and what to do; `queued`: readers wait for it."""
    reply = fault.reply
    said = " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.text) if part)
    advice = _SMALLER if reply.enhanced == TOO_LARGE else _ADVICE[fault.phase]
    later = "Try again later." if fault.temporary and reply.code else advice
    return (
        f"{relay} doesn't take our mail ({fault.phase}): {said.rstrip('.')}. {later}{_NOBODY_BLAMED if queued else ''}"
    )


_NOBODY_BLAMED = " What isn't sent stays queued; the same command goes on with it."
_SMALLER = "Make the issue shorter, or ask who runs the relay to take larger mail."
_ADVICE = {
    Phase.GREETING: "Check smtp.host, smtp.port and smtp.tls, and whether the relay lets this machine in.",
    Phase.EHLO: "Check smtp.local_name, and whether the relay lets this machine in.",
    Phase.TLS: "Check smtp.tls, and smtp.ca_file if the relay's certificate is its own.",
    Phase.AUTH: "Check smtp.user and its password.",
    Phase.MAIL: "Check mail.from_address and mail.bounce_domain, and whether the relay lets you send for them.",
    Phase.RCPT: "Check smtp.user, and whether the relay forwards mail for you.",
    Phase.DATA: "Ask who runs the relay why it bars your mail.",
    Phase.DOT: "Ask who runs the relay why it bars your mail.",
}
