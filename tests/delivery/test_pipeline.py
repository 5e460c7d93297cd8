"""The pipeline against a server that may say anything: every mail gets one result, and the right one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery.exchange import Dialect, Prepared, Result
from newsletter.delivery.pipeline import Pipeline
from newsletter.delivery.policy import Phase
from newsletter.model.delivery import Reply
from tests.delivery.scripted import (
    CLOSING,
    CLOSING_LATE,
    DIALECTS,
    DROP,
    EAGER,
    HANGS,
    LATER,
    LINES,
    MUTE,
    NEVER,
    NONSENSE,
    OK,
    SENT,
    WRONG,
    DiskFullError,
    Fed,
    Run,
    Server,
    body_of,
    mail,
    run,
    summary,
)

EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
MOVES = st.sampled_from(
    [OK] * 12
    + [LATER, NEVER] * 3
    + [CLOSING, CLOSING_LATE, NONSENSE, HANGS, MUTE, DROP, EAGER, EAGER, EAGER, WRONG]
    + [LINES] * 4
)


@settings(deadline=None)  # a run of many packets takes its time on a busy machine
@given(
    dialect=st.sampled_from(list(DIALECTS.values())),
    count=st.integers(0, 9),
    script=st.lists(MOVES, max_size=45),
    cuts=st.lists(st.integers(1, 60), max_size=60),
    pauses=st.lists(st.integers(1, 20), max_size=5),
    stop_after=st.none() | st.integers(1, 5),
    resets=st.booleans(),
)
def test_whatever_the_server_does_every_mail_gets_its_own_result(
    dialect: Dialect,
    count: int,
    script: list[str],
    cuts: list[int],
    pauses: list[int],
    stop_after: int | None,
    resets: bool,
) -> None:
    server = Server(resets_after_chunks=resets)
    Run(server, dialect, count, script, cuts, pauses, stop_after).go()


@settings(deadline=None)  # a run of many packets takes its time on a busy machine
@given(
    dialect=st.sampled_from(list(DIALECTS.values())),
    script=st.lists(st.sampled_from([OK, OK, OK, LATER, NEVER, LINES, EAGER]), max_size=45),
    cuts=st.lists(st.integers(1, 60), max_size=60),
    resets=st.booleans(),
)
def test_refusals_alone_never_cost_another_mail_its_turn(
    dialect: Dialect, script: list[str], cuts: list[int], resets: bool
) -> None:
    """As long as the server stays, each mail is answered for itself, exactly as if it had been alone."""
    script = [move for move in script if not (move == EAGER and dialect.chunking)]
    results = Run(Server(resets_after_chunks=resets), dialect, 9, script, cuts).go()
    unanswered = {key for key, result in results.items() if result.reply.code in (0, 503)}
    # A refused RSET ends the connection: nobody could tell after it whose envelope is open.
    refused_reset = any(
        result.reply.text.startswith("the server's answer makes no sense") for result in results.values()
    )
    assert not unanswered or refused_reset


@EVERY_DIALECT
def test_a_quiet_run_takes_every_mail_in_order(dialect: Dialect) -> None:
    results, server = run(dialect, count=5)
    assert summary(results) == dict.fromkeys(range(5), SENT)
    assert server.taken == [0, 1, 2, 3, 4]


@EVERY_DIALECT
@pytest.mark.parametrize("code", [LATER, NEVER])
@pytest.mark.parametrize("place", [0, 1])
def test_refused_at_mail(dialect: Dialect, code: str, place: int) -> None:
    results, server = run(dialect, *_before(dialect, place), code)
    expected = dict.fromkeys(range(3), SENT)
    expected[place] = (Phase.MAIL, 451 if code == LATER else 550)
    assert summary(results) == expected
    assert place not in server.taken


@EVERY_DIALECT
@pytest.mark.parametrize("code", [LATER, NEVER])
@pytest.mark.parametrize("place", [0, 1])
def test_refused_at_rcpt(dialect: Dialect, code: str, place: int) -> None:
    results, _ = run(dialect, *_before(dialect, place), OK, code)
    expected = dict.fromkeys(range(3), SENT)
    expected[place] = (Phase.RCPT, 451 if code == LATER else 550)
    assert summary(results) == expected


@pytest.mark.parametrize("name", ["pipelining", "one by one"])
@pytest.mark.parametrize("place", [0, 1])
def test_refused_at_data_and_no_body_is_sent(name: str, place: int) -> None:
    dialect = DIALECTS[name]
    results, server = run(dialect, *_before(dialect, place), OK, OK, NEVER)
    expected = dict.fromkeys(range(3), SENT)
    expected[place] = (Phase.DATA, 550)
    assert summary(results) == expected
    assert server.commands.count(b"RSET") == 1


@EVERY_DIALECT
@pytest.mark.parametrize("code", [LATER, NEVER])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("resets", [True, False])
def test_refused_at_the_final_dot(dialect: Dialect, code: str, place: int, resets: bool) -> None:
    until_dot = [OK] * (2 if dialect.chunking else 3)
    script = [*_before(dialect, place), *until_dot, code]
    results = Run(Server(resets_after_chunks=resets), dialect, 3, script).go()
    expected = dict.fromkeys(range(3), SENT)
    expected[place] = (Phase.DOT, 451 if code == LATER else 550)
    assert summary(results) == expected


def _before(dialect: Dialect, place: int) -> list[str]:
    """Return the moves for the mails before that one, and for its RSET.

    The server obeys one line at a time, so nothing of a mail is answered before the dot of the one before.
    """
    reset = [OK] if dialect.chunking and dialect.pipelining else []
    each = [OK] * (3 if dialect.chunking else 4)
    return (each + reset) * place


def test_354_in_spite_of_a_refused_rcpt_gets_a_lone_dot_whose_answer_counts_for_nothing() -> None:
    results, server = run(DIALECTS["pipelining"], OK, NEVER, EAGER, NEVER)
    assert summary(results) == {0: (Phase.RCPT, 550), 1: SENT, 2: SENT}
    assert server.taken == [1, 2]
    assert b"RSET" not in server.commands


def test_a_lone_dot_that_is_taken_with_thanks_makes_nothing_sent() -> None:
    fed = Fed(DIALECTS["pipelining"], 1)
    fed.say("250 ok|550 5.1.1 nobody|354 go on")
    assert fed.written[-1] == b".\r\n"
    assert not fed.pipeline.finished
    fed.say("250 2.0.0 taken for nobody")
    assert fed.results == {0: Result(Phase.RCPT, Reply(550, "5.1.1", "nobody"))}
    assert fed.announced == []
    assert fed.pipeline.reusable


def test_mail_refused_and_rcpt_and_data_answered_503_needs_no_rset() -> None:
    results, server = run(DIALECTS["pipelining"], NEVER)
    assert summary(results) == {0: (Phase.MAIL, 550), 1: SENT, 2: SENT}
    assert b"RSET" not in server.commands


def test_one_mail_costs_one_write() -> None:
    """Body, dot and next envelope go out together: that is the one round trip."""
    server = Server()
    writes: list[bytes] = []

    def write(pieces: list[bytes]) -> None:
        writes.append(b"".join(pieces))
        server.write(pieces)

    mails = iter([mail(key) for key in range(4)])
    pipeline = Pipeline(DIALECTS["pipelining"], write, lambda: next(mails, None), lambda _: None, lambda *_: None)
    pipeline.start()
    while not pipeline.finished:
        answer, server.out = server.out, b""
        pipeline.feed(answer)
    assert len(writes) == 5
    assert writes[1] == body_of(0) + b".\r\n" + mail(1).envelope + b"DATA\r\n"


def test_a_window_of_three_has_three_bodies_unanswered() -> None:
    fed = Fed(DIALECTS["window of 3"], 9)
    assert fed.announced == [0, 1, 2]
    fed.say("250 mail|250 rcpt|250 body")
    assert fed.announced == [0, 1, 2, 3]


def test_a_refused_reader_costs_no_body_when_one_body_goes_at_a_time() -> None:
    server = Server()
    played = Run(server, DIALECTS["chunking"], 3, [OK, NEVER])
    assert summary(played.go()) == {0: (Phase.RCPT, 550), 1: SENT, 2: SENT}
    assert played.announced == [1, 2]


@EVERY_DIALECT
def test_a_connection_lost_after_the_body_is_unknown_and_before_it_is_later(dialect: Dialect) -> None:
    until_dot = [OK] * (2 if dialect.chunking else 3)
    results, _ = run(dialect, *until_dot, MUTE)
    assert summary(results)[0] == (Phase.DOT, 0)
    results, _ = run(dialect, OK, DROP)
    window = dialect.window > 1
    assert summary(results)[0] == ((Phase.DOT if window else Phase.RCPT), 0)


def test_421_closes_and_leaves_the_next_mail_for_later() -> None:
    results, _ = run(DIALECTS["pipelining"], OK, OK, OK, CLOSING)
    assert summary(results) == {0: (Phase.DOT, 421), 1: (Phase.MAIL, 0)}
    assert "421" in results[1].reply.text


def test_after_421_what_is_on_its_way_is_still_listened_for() -> None:
    """A server that says 421 to one mail and stays may have taken the next one already."""
    results, server = run(DIALECTS["window of 3"], OK, CLOSING_LATE)
    assert summary(results) == {0: (Phase.RCPT, 421), 1: SENT, 2: SENT}
    assert server.taken == [1, 2]


def test_421_to_rset_is_about_no_mail_that_may_be_taken_all_the_same() -> None:
    results, server = run(DIALECTS["window of 3"], OK, OK, OK, CLOSING_LATE)
    assert summary(results) == {0: SENT, 1: SENT, 2: SENT}
    assert server.taken == [0, 1, 2]


def test_a_refusal_behind_a_354_is_this_mails_and_no_body_is_sent() -> None:
    fed = Fed(DIALECTS["pipelining"], 1)
    fed.say("250 a|250 b|354 c|550 5.7.1 no")
    assert fed.results == {0: Result(Phase.DATA, Reply(550, "5.7.1", "no"))}
    assert fed.announced == []
    assert not fed.pipeline.reusable


def test_a_refusal_behind_a_354_is_this_mails_in_a_long_run_too() -> None:
    fed = Fed(DIALECTS["pipelining"], 9)
    fed.say("250 a|250 b|354 c", "250 0|250 a|250 b|354 c")
    fed.pipeline.pause()
    fed.say("250 1|250 a|250 b|354 c", "550 5.7.1 no")
    assert fed.results[2] == Result(Phase.DATA, Reply(550, "5.7.1", "no"))
    assert fed.announced == [0, 1]


def test_an_extra_reply_closes_before_the_next_body_is_written() -> None:
    fed = Fed(DIALECTS["pipelining"], 1)
    fed.say("250 a|250 b|354 c|250 d")
    assert summary(fed.results) == {0: (Phase.DATA, 0)}
    assert "out of turn: 250 d" in fed.texts()[0]
    assert fed.announced == []
    assert fed.pipeline.finished
    assert not fed.pipeline.reusable


# What is usual is taken at a glance; these are the glances that would be wrong.


def test_an_answer_in_two_packets_is_one_answer_also_if_its_end_looks_usual() -> None:
    fed = Fed(DIALECTS["pipelining"], 9)
    fed.say("250 a|250 b|354 c", "250 0|250 a|250 b|354 c", "250-1", "250 and more|250 a|250 b|354 c")
    assert fed.texts() == {0: "0", 1: "1 and more"}
    assert fed.announced == [0, 1, 2]


def test_an_answer_that_begins_too_early_is_still_heard_in_full() -> None:
    fed = Fed(DIALECTS["pipelining"], 9)
    fed.say("250 a|250 b|354 c")
    for _ in range(3):
        fed.pipeline.feed(b"250 0\r\n250 a\r\n250 b\r\n354 c\r\n2")
        fed.pipeline.feed(b"50 1\r\n")
        fed.say("250 a|250 b|354 c")
    assert fed.texts() == {0: "0", 1: "1", 2: "0", 3: "1", 4: "0", 5: "1"}


def test_usual_bytes_that_answer_something_else_are_read_for_what_they_are() -> None:
    fed = Fed(Dialect(pipelining=True, chunking=True, window=2), 9)
    fed.pipeline.pause()
    fed.say("250 m|250 r|250 0", "250 rset|250 m|250 r", "250 1|250 rset|250 m|250 r")
    fed.pipeline.resume()
    fed.pipeline.pause()
    fed.say("250 2")  # now mail 3's four answers are due, and mail 4 is ahead
    fed.say("250 x|250 rset|250 m|250 r")
    assert fed.texts() == {0: "0", 1: "1", 2: "2", 3: "r"}


def test_a_mail_refused_in_a_full_window_waits_for_all_its_answers() -> None:
    fed = Fed(Dialect(pipelining=True, chunking=True, window=2), 3)
    fed.pipeline.pause()
    fed.say("250 m|250 r|250 0", "250 rset|250 m|250 r|250 1", "250 rset|550 5.1.0 no")
    fed.pipeline.resume()
    assert not fed.pipeline.finished
    fed.say("503 5.5.1 no mail")
    assert summary(fed.results) == {0: SENT, 1: SENT, 2: (Phase.MAIL, 550)}
    assert fed.pipeline.reusable


@pytest.mark.parametrize("endless", [b"x" * 40_000, b"250-more\r\n" * 4_000], ids=["line", "lines"])
def test_an_answer_without_end_is_cut(endless: bytes) -> None:
    fed = Fed(DIALECTS["pipelining"], 1)
    for at in range(0, len(endless), 1000):
        fed.pipeline.feed(endless[at : at + 1000])
        if fed.pipeline.finished:
            break
    assert at < 20_000
    assert summary(fed.results) == {0: (Phase.MAIL, 0)}


def test_stop_begins_nothing_new_and_finishes_what_it_began() -> None:
    played = Run(Server(), DIALECTS["pipelining"], 9, stop_after=2)
    # When the second answer comes the third envelope is out already.
    assert summary(played.go()) == {0: SENT, 1: SENT, 2: SENT}
    assert played.pipeline.reusable


def test_paused_it_writes_no_body() -> None:
    played = Run(Server(), DIALECTS["pipelining"], 1)
    played.pipeline.start()
    played.pipeline.pause()
    played.pipeline.feed(played.server.out)
    assert played.announced == []
    played.pipeline.resume()
    assert played.announced == [0]


@EVERY_DIALECT
@pytest.mark.parametrize("at", range(4))
def test_a_mail_that_cant_be_announced_isnt_sent(dialect: Dialect, at: int) -> None:
    played = Run(Server(), dialect, 9, announcing_fails_at=at)
    results = played.go()
    assert isinstance(played.pipeline.error, DiskFullError)
    assert not played.pipeline.reusable
    assert played.server.taken == list(range(at))
    assert results[at].phase is not Phase.DOT
    assert results[at].reply.code == 0
    assert {key: summary(results)[key] for key in range(at)} == dict.fromkeys(range(at), SENT)


@EVERY_DIALECT
@pytest.mark.parametrize("at", range(4))
def test_a_result_that_cant_be_recorded_stops_the_sending(dialect: Dialect, at: int) -> None:
    played = Run(Server(), dialect, 9, recording_fails_from=at)
    played.go()
    assert isinstance(played.pipeline.error, DiskFullError)
    assert played.pipeline.error.args == (at,), "the first error is the one to be told"
    assert len(played.server.taken) <= at + dialect.window


@EVERY_DIALECT
@pytest.mark.parametrize("at", range(4))
def test_an_error_in_handing_out_mails_ends_it_after_what_was_sent(dialect: Dialect, at: int) -> None:
    played = Run(Server(), dialect, 9, handing_out_fails_at=at)
    results = played.go()
    assert isinstance(played.pipeline.error, DiskFullError)
    assert set(summary(results)) == set(range(at))
    assert {key for key, result in summary(results).items() if result == SENT} == set(played.server.taken)


def test_a_body_that_doesnt_end_its_last_line_is_refused() -> None:
    """Its last line would swallow the final dot, and with it the next mail."""
    seen: list[Result] = []
    written: list[bytes] = []
    mails = iter([Prepared(0, mail(0).envelope, [b"no line end"])])
    pipeline = Pipeline(
        DIALECTS["pipelining"],
        written.extend,
        lambda: next(mails, None),
        lambda _: None,
        lambda _, result: seen.append(result),
    )
    pipeline.start()
    pipeline.feed(b"250 a\r\n250 b\r\n354 c\r\n")
    assert [(result.phase, result.reply.code) for result in seen] == [(Phase.DATA, 0)]
    assert isinstance(pipeline.error, ValueError)
    assert written == [mail(0).envelope + b"DATA\r\n"]
