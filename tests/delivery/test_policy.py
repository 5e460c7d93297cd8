"""What replies mean, for the reader and for us, and when a mail is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.config import Delivery as Rules
from newsletter.delivery.policy import (
    Fault,
    Phase,
    decide_outcome,
    decide_settlement,
    describe_fault,
    parse_reply,
)
from newsletter.model.delivery import (
    PACED,
    Accepted,
    Deferred,
    Delivery,
    DeliveryState,
    Outcome,
    Refused,
    Reply,
    Unknown,
)

QUEUED_AT = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)
RULES = Rules(patience_hours=96, first_retry_minutes=5, longest_retry_minutes=240)
TRANSACTION = (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT)
SET_UP = (Phase.GREETING, Phase.EHLO, Phase.TLS, Phase.AUTH)
OK = Accepted(Reply(250, "2.0.0", "queued"))


def judge(said: str, phase: Phase) -> Outcome | Fault:
    code, _, text = said.partition(" ")
    return decide_outcome(parse_reply(int(code), text), phase)


def delivery(attempts: int = 0, next_attempt_at: datetime | None = None) -> Delivery:
    state = DeliveryState.SENDING
    return Delivery(1, 1, 1, "ann@example.net", "", state, attempts, QUEUED_AT, next_attempt_at)


@pytest.mark.parametrize(
    ("code", "text", "reply"),
    [
        (250, "2.0.0 Ok: queued as 4F", Reply(250, "2.0.0", "Ok: queued as 4F")),
        (550, "5.1.1 No such user\n5.1.1 here", Reply(550, "5.1.1", "No such user here")),
        (550, "No such user", Reply(550, "", "No such user")),
        (550, "4.2.2 codes that contradict", Reply(550, "", "4.2.2 codes that contradict")),
        (250, "2.1.5", Reply(250, "2.1.5", "")),
        (550, "5.1.1bad", Reply(550, "", "5.1.1bad")),
        (450, "a\x1b[31mb\x00\udcff", Reply(450, "", "a [31mb �")),
        (-1, "garbage", Reply(0, "", "garbage")),
    ],
)
def test_a_reply_is_taken_apart(code: int, text: str, reply: Reply) -> None:
    assert parse_reply(code, text) == reply


@given(
    st.integers(-10, 2000),
    st.text(st.characters(codec="utf-8")) | st.binary().map(lambda b: b.decode("utf-8", "surrogateescape")),
)
@example(550, "5.1.1 " + "x" * 5000)
@example(550, "\n\n")
def test_any_reply_is_bounded_and_can_be_stored_and_printed(code: int, text: str) -> None:
    reply = parse_reply(code, text)
    assert 0 <= reply.code <= 999
    assert len(reply.text) <= 500
    assert len(reply.enhanced) <= 16
    assert "\x00" not in reply.text
    assert "\n" not in reply.text
    reply.text.encode()


def test_only_a_2xx_at_the_final_dot_is_accepted() -> None:
    assert isinstance(judge("250 2.0.0 queued", Phase.DOT), Accepted)
    assert isinstance(judge("251 forwarded", Phase.DOT), Accepted)


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA])
@pytest.mark.parametrize("said", ["421 closing", "450 4.2.1 greylisted", "451 4.3.0 later", "0 connection lost"])
def test_what_is_temporary_before_the_dot_is_deferred(said: str, phase: Phase) -> None:
    assert isinstance(judge(said, phase), Deferred)


@pytest.mark.parametrize("said", ["452 4.5.3 too many recipients", "552 5.2.2 mailbox full", "552 too many"])
def test_452_is_deferred_and_552_too(said: str) -> None:
    assert isinstance(judge(said, Phase.RCPT), Deferred)


def test_a_full_mailbox_is_deferred_and_a_mail_too_big_is_ours() -> None:
    assert isinstance(judge("552 5.2.2 mailbox full", Phase.DOT), Deferred)
    too_big = judge("552 5.3.4 too big", Phase.DOT)
    assert isinstance(too_big, Fault)
    assert "Make the issue shorter" in describe_fault(too_big, "relay.test")


@pytest.mark.parametrize(
    "said", ["550 5.1.8 bad sender", "553 5.1.7 bad sender", "550 Sender verify failed", "554 Sender address rejected"]
)
def test_a_sender_that_is_not_believed_blames_no_reader(said: str) -> None:
    assert isinstance(judge(said, Phase.RCPT), Fault)


def test_who_only_waited_for_his_turn_does_not_fail_at_his_first_answer() -> None:
    late = QUEUED_AT + timedelta(days=30)
    waited = delivery(next_attempt_at=QUEUED_AT)._replace(reply=Reply(0, "", PACED))
    outcome = Deferred(Reply(450, "4.2.1", "greylisted"))
    assert decide_settlement(waited, outcome, late, RULES, 1.0).state is DeliveryState.DEFERRED
    lost = delivery(next_attempt_at=QUEUED_AT)._replace(reply=Reply(0, "", "the connection was lost"))
    assert decide_settlement(lost, outcome, late, RULES, 1.0).state is DeliveryState.FAILED


def test_no_reply_after_the_dot_is_unknown_and_a_4xx_is_not() -> None:
    assert isinstance(judge("0 connection lost", Phase.DOT), Unknown)
    assert isinstance(judge("354 what", Phase.DOT), Unknown)
    assert isinstance(judge("451 4.3.0 later", Phase.DOT), Deferred)
    assert isinstance(judge("421 4.3.2 closing", Phase.DOT), Deferred)


@pytest.mark.parametrize("said", ["550 5.1.1 no such user", "550 no such user", "553 5.1.3 bad address", "501 what"])
def test_a_reader_s_own_refusal_is_about_the_reader(said: str) -> None:
    assert isinstance(judge(said, Phase.RCPT), Refused)


@pytest.mark.parametrize("phase", [Phase.DATA, Phase.DOT])
def test_a_refused_message_fails_alone(phase: Phase) -> None:
    assert isinstance(judge("554 5.6.0 content", phase), Refused)


@pytest.mark.parametrize("phase", SET_UP)
@pytest.mark.parametrize("said", ["554 5.3.2 no", "421 4.3.2 busy", "454 4.7.0 later", "0 refused"])
def test_whatever_happens_before_the_first_mail_is_about_us(said: str, phase: Phase) -> None:
    fault = judge(said, phase)
    assert isinstance(fault, Fault)
    assert fault.temporary == (not said.startswith("5"))


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        ("550 5.1.8 bad sender", Phase.MAIL),
        ("552 5.3.4 too big", Phase.MAIL),
        ("554 5.7.1 relay access denied", Phase.RCPT),
        ("550 relay not permitted", Phase.RCPT),
        ("530 authentication required", Phase.RCPT),
        ("503 bad sequence", Phase.DATA),
        ("554 5.7.1 looks like spam", Phase.DOT),
    ],
)
def test_a_5xx_about_sender_login_or_policy_is_about_us(said: str, phase: Phase) -> None:
    assert isinstance(judge(said, phase), Fault)


@given(st.sampled_from(Phase), st.integers(0, 999), st.text(max_size=20))
def test_no_reply_is_without_a_verdict_and_nothing_before_the_dot_is_accepted_or_unknown(
    phase: Phase, code: int, text: str
) -> None:
    verdict = decide_outcome(parse_reply(code, text), phase)
    if phase is not Phase.DOT:
        assert isinstance(verdict, Deferred | Refused | Fault)
    assert not isinstance(verdict, Refused) or verdict.reply.code >= 500


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (OK, DeliveryState.SENT),
        (Refused(Reply(550, "5.1.1", "no")), DeliveryState.FAILED),
        (Unknown(Reply(0, "", "lost")), DeliveryState.UNKNOWN),
    ],
)
def test_what_is_final_is_settled_for_good(outcome: Outcome, state: DeliveryState) -> None:
    settled = decide_settlement(delivery(2), outcome, QUEUED_AT, RULES, 1.0)
    assert (settled.state, settled.attempts, settled.next_attempt_at) == (state, 3, None)
    assert settled.reply == outcome.reply


def test_waits_double_up_to_the_longest_and_jitter_stretches_them() -> None:
    outcome = Deferred(Reply(450, "4.2.1", "greylisted"))
    waits = [
        decide_settlement(delivery(attempts), outcome, QUEUED_AT, RULES, 1.0).next_attempt_at
        for attempts in (0, 1, 2, 5, 6, 1000)
    ]
    minutes = [(at - QUEUED_AT).total_seconds() / 60 for at in waits if at]
    assert minutes == [5, 10, 20, 160, 240, 240]
    stretched = decide_settlement(delivery(), outcome, QUEUED_AT, RULES, 1.2)
    assert stretched.next_attempt_at == QUEUED_AT + timedelta(minutes=6)


@pytest.mark.parametrize("code", [0, 421])
def test_a_lost_connection_is_no_attempt_and_lengthens_no_wait(code: int) -> None:
    settled = decide_settlement(delivery(4), Deferred(Reply(code, "", "lost")), QUEUED_AT, RULES, 1.0)
    assert settled.state is DeliveryState.DEFERRED
    assert settled.attempts == 4
    assert settled.next_attempt_at == QUEUED_AT + timedelta(minutes=5)


def test_patience_ends_but_never_at_the_first_try() -> None:
    late = QUEUED_AT + timedelta(hours=96)
    outcome = Deferred(Reply(450, "4.2.1", "greylisted"))
    assert decide_settlement(delivery(3), outcome, late, RULES, 1.0).state is DeliveryState.FAILED
    lost = Deferred(Reply(0, "", "lost"))
    assert decide_settlement(delivery(0, QUEUED_AT), lost, late, RULES, 1.0).state is DeliveryState.FAILED
    first = decide_settlement(delivery(0), outcome, late, RULES, 1.0)
    assert first.state is DeliveryState.DEFERRED
    assert first.next_attempt_at == late + timedelta(minutes=5)


def test_the_last_try_comes_when_patience_ends_and_not_hours_later() -> None:
    now = QUEUED_AT + timedelta(hours=95)
    settled = decide_settlement(delivery(9), Deferred(Reply(450, "", "later")), now, RULES, 1.0)
    assert settled.next_attempt_at == QUEUED_AT + timedelta(hours=96)


@given(st.integers(0, 5000), st.floats(0, 200), st.floats(0.5, 1.5), st.sampled_from([0, 421, 450, 552]))
def test_every_deferred_delivery_has_a_next_try_in_the_future(
    attempts: int, hours: float, jitter: float, code: int
) -> None:
    now = QUEUED_AT + timedelta(hours=hours)
    settled = decide_settlement(delivery(attempts), Deferred(Reply(code, "", "")), now, RULES, jitter)
    if settled.state is DeliveryState.DEFERRED:
        assert settled.next_attempt_at
        assert now < settled.next_attempt_at or settled.next_attempt_at >= QUEUED_AT + timedelta(hours=96)
    else:
        assert settled.next_attempt_at is None


def test_a_fault_is_told_in_the_server_s_words_with_a_way_out() -> None:
    message = describe_fault(Fault(Reply(535, "5.7.8", "Bad credentials."), Phase.AUTH), "relay.test:587")
    assert message == (
        "relay.test:587 doesn't take our mail (AUTH): 535 5.7.8 Bad credentials. Check smtp.user and its password. "
        "What isn't sent stays queued; the same command goes on with it."
    )
    busy = describe_fault(Fault(Reply(421, "4.3.2", "Too busy"), Phase.GREETING), "relay.test:587")
    assert "Try again later." in busy


@pytest.mark.parametrize("phase", TRANSACTION + SET_UP)
def test_every_phase_has_its_advice(phase: Phase) -> None:
    assert "heck" in describe_fault(Fault(Reply(0, "", "x"), phase), "r") or phase in (Phase.DATA, Phase.DOT)
