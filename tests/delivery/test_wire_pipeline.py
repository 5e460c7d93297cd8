"""The pipeline against a server that may say anything: every mail gets one result, and the right one.

The server here is strict about order and slow of wit: it reads one line at a time and answers from a script. What it
keeps is the truth that results are held against.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.pipeline import Dialect, Pipeline, Prepared, Result, compose_commands, decide_dialect
from newsletter.delivery.policy import Phase
from newsletter.model.delivery import Reply

OK, LINES, LATER, NEVER, EAGER = "ok", "ok in many lines", "4xx", "5xx", "354 although it should refuse"
CLOSING, CLOSING_LATE, NONSENSE, WRONG = "421 and close", "421 and stay", "no reply at all", "a reply of the wrong kind"
HANGS, DROP, MUTE = "never says a word again", "close", "do as told, but close instead of answering"


@dataclass
class Server:
    """Obeys SMTP, answers from a script (then OK), and remembers."""

    script: list[str] = field(default_factory=list)
    chunking: bool = False
    one_by_one: bool = False
    resets_after_chunks: bool = True
    said: dict[int, list[tuple[Phase, int, str]]] = field(default_factory=lambda: defaultdict(list))
    taken: list[int] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)
    closed: bool = False
    hangs: bool = False
    out: bytes = b""
    _in: bytes = b""
    _key: int = -1
    _recipient: int | None = None
    _open: bool = False
    _refused_chunk: bool = False
    _body: Callable[[], bool] | None = None
    _number: int = 0

    def write(self, pieces: list[bytes]) -> None:
        assert all(pieces), "an empty write"
        if self.one_by_one:
            assert not self.out, "spoke before the server had answered"
        self._in += b"".join(pieces)
        while not (self.closed or self.hangs) and (self._body() if self._body else self._obey_line()):
            pass

    def _obey_line(self) -> bool:
        line, found, self._in = self._in.partition(b"\r\n")
        if not found:
            self._in = line
            return False
        self.commands.append(line)
        verb = line[:4]
        if verb == b"MAIL":
            self._mail(int(line.split(b"<s")[1].split(b"@")[0]))
        elif verb == b"RCPT":
            self._rcpt(int(line.split(b"<r")[1].split(b"@")[0]))
        elif verb == b"DATA":
            self._data()
        elif verb == b"BDAT":
            assert self.chunking
            size = int(line.split()[1])
            assert line.endswith(b" LAST")
            self._body = lambda: self._take_chunk(size)
        else:
            assert line == b"RSET"
            self._open, self._recipient = False, None
            self._key = -1  # no answer to RSET is about a mail
            self._answer(Phase.MAIL, 250)
        return True

    def _mail(self, key: int) -> None:
        if self._open:
            self._key = key
            self._answer(Phase.MAIL, 503)
            return
        self._key = key
        self._open = self._answer(Phase.MAIL, 250) == 250

    def _rcpt(self, recipient: int) -> None:
        if not self._open:
            self._answer(Phase.RCPT, 503)
        elif self._answer(Phase.RCPT, 250) == 250:
            self._recipient = recipient

    def _data(self) -> None:
        eager = bool(self.script) and self.script[0] == EAGER
        ready = eager or (self._open and self._recipient is not None)
        if self._answer(Phase.DATA, 354 if ready else 554) == 354:
            self._in = b"\r\n" + self._in
            self._body = self._take_text

    def _take_text(self) -> bool:
        text, found, rest = self._in.partition(b"\r\n.\r\n")
        if not found:
            return False
        self._in, self._body = rest, None
        self._take((text + b"\r\n")[2:])
        self._open, self._recipient = False, None
        return True

    def _take_chunk(self, size: int) -> bool:
        if len(self._in) < size:
            return False
        body, self._in, self._body = self._in[:size], self._in[size:], None
        ready = self._recipient is not None
        self._take(body)
        if self.resets_after_chunks or ready:
            self._open, self._recipient = False, None
        return True

    def _take(self, body: bytes) -> None:
        """Take the mail, if it has a recipient and the script doesn't mind."""
        recipient = self._recipient
        wants = self.script[0] if self.script else OK
        if self._answer(Phase.DOT, 250 if recipient is not None else 554) == 250 or wants == MUTE:
            if recipient is None:
                return
            assert body == body_of(recipient), "another reader's mail"
            assert self._key == recipient, "another reader's envelope sender"
            self.taken.append(recipient)

    def _answer(self, phase: Phase, code: int) -> int:
        """Say what the script wants, as an answer for the mail of the last MAIL; return the code that was meant."""
        wants = self.script.pop(0) if self.script else OK
        self._number += 1
        text = f"number {self._number}"
        if wants in (DROP, MUTE):
            self.closed = True
            return 0
        if wants == HANGS:
            self.hangs = True
            return 0
        if wants == NONSENSE:
            self.out += f"<html>{text}\r\n".encode()
            return 0
        if wants == WRONG:
            self.out += (b"250 " if phase is Phase.DATA else b"354 ") + text.encode() + b"\r\n"
            return 0
        code = {LATER: 451, NEVER: 550, CLOSING: 421, CLOSING_LATE: 421}.get(wants, code)
        lines = [text] if wants != LINES else [f"{text} line {line}" for line in range(3)]
        self.said[self._key].append((phase, code, " ".join(lines)))
        self.out += b"".join(f"{code}-{line}\r\n".encode() for line in lines[:-1]) + f"{code} {lines[-1]}\r\n".encode()
        if wants == CLOSING:
            self.closed = True
        return code


def body_of(key: int) -> bytes:
    return b"Subject: mail %d\r\n\r\n%s\r\n" % (key, b"text " * (key % 3))


def mail(key: int) -> Prepared[int]:
    body = body_of(key)
    return Prepared(key, compose_commands(f"s{key}@example.org", f"r{key}@example.net"), [body[:9], body[9:]])


@dataclass
class Run:
    """Mails 0 to `count` - 1 through a pipeline, and what came of each."""

    server: Server
    dialect: Dialect
    count: int
    script: list[str] = field(default_factory=list)
    cuts: Sequence[int] = ()
    pauses: Sequence[int] = ()
    stop_after: int | None = None
    handed: list[int] = field(default_factory=list)
    announced: list[int] = field(default_factory=list)
    results: list[tuple[int, Result]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.script = self.script.copy()
        self.server.chunking = self.dialect.chunking
        self.server.one_by_one = not self.dialect.pipelining
        callbacks = (self.next_message, self.before_body, self.on_result)
        self.pipeline = Pipeline(self.dialect, self.server.write, *callbacks)

    def next_message(self) -> Prepared[int] | None:
        if len(self.handed) == self.count:
            return None
        self.handed.append(len(self.handed))
        return mail(self.handed[-1])

    def before_body(self, message: Prepared[int]) -> None:
        assert message.key not in self.server.taken, "announced too late"
        self.announced.append(message.key)

    def on_result(self, message: Prepared[int], result: Result) -> None:
        self.results.append((message.key, result))
        if self.stop_after == len(self.results):
            self.pipeline.stop()

    def go(self) -> dict[int, Result]:
        """Play it to the end, in packets of the sizes in `cuts`."""
        cuts, pauses, step = iter(self.cuts), set(self.pauses), 0
        self.pipeline.start()
        while not self.pipeline.finished:
            step += 1
            if step in pauses:
                self.pipeline.pause()
            if self.server.out:
                size = next(cuts, len(self.server.out))
                packet, self.server.out = self.server.out[:size], self.server.out[size:]
                self.pipeline.feed(packet)
            elif step in pauses:
                pass
            elif self.server.closed:
                self.pipeline.lose("the server closed the connection")
            elif self.server.hangs:
                self.pipeline.lose("the server didn't answer in time")
            else:
                raise AssertionError(f"both wait for the other; said so far: {self.server.commands}")
            if step in pauses and not self.pipeline.finished:
                self.pipeline.resume()
        return self.check()

    def check(self) -> dict[int, Result]:
        """Hold the results against what the server knows."""
        results = dict(self.results)
        assert len(self.results) == len(results), "two results for one mail"
        assert sorted(results) == self.handed, "a mail without a result"
        assert len(set(self.server.taken)) == len(self.server.taken), "a reader got it twice"
        for key, result in results.items():
            self.check_one(key, result)
        return results

    def check_one(self, key: int, result: Result) -> None:
        said, reply = self.server.said[key], result.reply
        if result.phase is Phase.DOT and reply.code // 100 != 2:
            assert key in self.announced, "maybe sent, and not announced"
        if key in self.server.taken:
            assert result.phase is Phase.DOT, "sent, and it looks as if it could be tried again"
            assert reply.code in (0, 250)
            assert key in self.announced
        if reply.code // 100 == 2:
            assert key in self.server.taken, "not sent, and it looks as if it was"
        if reply.code:
            refusals = [entry for entry in said if entry[1] >= 400]
            verdict = refusals[0] if refusals else said[-1]
            assert (result.phase, reply.code, reply.text) == verdict, "another mail's reply"


DIALECTS = {
    "pipelining": Dialect(pipelining=True, chunking=False, window=1),
    "chunking": Dialect(pipelining=True, chunking=True, window=1),
    "window of 3": Dialect(pipelining=True, chunking=True, window=3),
    "one by one": Dialect(pipelining=False, chunking=False, window=1),
    "one by one in chunks": Dialect(pipelining=False, chunking=True, window=1),
}
EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
MOVES = st.sampled_from(
    [OK] * 12
    + [LATER, NEVER] * 3
    + [CLOSING, CLOSING_LATE, NONSENSE, HANGS, MUTE, DROP, EAGER, EAGER, EAGER, WRONG]
    + [LINES] * 4
)


def run(dialect: Dialect, *script: str, count: int = 3) -> tuple[dict[int, Result], Server]:
    server = Server()
    return Run(server, dialect, count, list(script)).go(), server


def summary(results: dict[int, Result]) -> dict[int, tuple[Phase, int]]:
    return {key: (result.phase, result.reply.code) for key, result in sorted(results.items())}


SENT = (Phase.DOT, 250)


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
def test_refused_at_the_final_dot(dialect: Dialect, code: str, place: int) -> None:
    until_dot = [OK] * (2 if dialect.chunking else 3)
    results, _ = run(dialect, *_before(dialect, place), *until_dot, code)
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
    pieces: list[bytes] = []
    seen: list[tuple[int, Result]] = []
    mails = iter([mail(0)])
    pipeline = Pipeline(
        DIALECTS["pipelining"],
        pieces.extend,
        lambda: next(mails, None),
        lambda message: pytest.fail("no body may be sent"),
        lambda message, result: seen.append((message.key, result)),
    )
    pipeline.start()
    pipeline.feed(b"250 ok\r\n550 5.1.1 nobody\r\n354 go on\r\n")
    assert pieces[-1] == b".\r\n"
    assert not pipeline.finished
    pipeline.feed(b"250 2.0.0 taken for nobody\r\n")
    assert seen == [(0, Result(Phase.RCPT, Reply(550, "5.1.1", "nobody")))]
    assert pipeline.reusable


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
    announced: list[int] = []
    mails = iter([mail(key) for key in range(9)])
    pipeline = Pipeline(
        DIALECTS["window of 3"],
        lambda _: None,
        lambda: next(mails, None),
        lambda message: announced.append(message.key),
        lambda *_: None,
    )
    pipeline.start()
    assert announced == [0, 1, 2]
    pipeline.feed(b"250 ok\r\n" * 3)
    assert announced == [0, 1, 2, 3]


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


def test_an_extra_reply_closes_before_the_next_body_is_written() -> None:
    seen: list[tuple[int, Result]] = []
    mails = iter([mail(0)])
    pipeline = Pipeline(
        DIALECTS["pipelining"],
        lambda _: None,
        lambda: next(mails, None),
        lambda _: pytest.fail("no body may be sent"),
        lambda message, result: seen.append((message.key, result)),
    )
    pipeline.start()
    pipeline.feed(b"250 a\r\n250 b\r\n354 c\r\n250 d\r\n")
    assert summary(dict(seen)) == {0: (Phase.DATA, 0)}
    assert "out of turn: 250 d" in seen[0][1].reply.text
    assert pipeline.finished
    assert not pipeline.reusable


@pytest.mark.parametrize("endless", [b"x" * 40_000, b"250-more\r\n" * 4_000], ids=["line", "lines"])
def test_an_answer_without_end_is_cut(endless: bytes) -> None:
    seen: list[tuple[int, Result]] = []
    mails = iter([mail(0)])
    pipeline = Pipeline(
        DIALECTS["pipelining"],
        lambda _: None,
        lambda: next(mails, None),
        lambda _: None,
        lambda message, result: seen.append((message.key, result)),
    )
    pipeline.start()
    for at in range(0, len(endless), 1000):
        pipeline.feed(endless[at : at + 1000])
        if pipeline.finished:
            break
    assert at < 20_000
    assert summary(dict(seen)) == {0: (Phase.MAIL, 0)}


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


class DiskFullError(Exception):
    pass


@EVERY_DIALECT
@pytest.mark.parametrize("at", range(4))
def test_a_mail_that_cant_be_recorded_isnt_sent(dialect: Dialect, at: int) -> None:
    played = Run(Server(), dialect, 9)

    def before_body(message: Prepared[int]) -> None:
        if message.key == at:
            raise DiskFullError
        played.announced.append(message.key)

    played.pipeline._before_body = before_body
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
    played = Run(Server(), dialect, 9)

    def on_result(message: Prepared[int], result: Result) -> None:
        played.results.append((message.key, result))
        if message.key >= at:
            raise DiskFullError(message.key)

    played.pipeline._on_result = on_result
    played.go()
    assert played.pipeline.error is not None
    assert played.pipeline.error.args == (at,)
    assert len(played.server.taken) <= at + dialect.window + 1


@EVERY_DIALECT
@pytest.mark.parametrize("at", range(4))
def test_an_error_in_handing_out_mails_ends_it_after_what_was_begun(dialect: Dialect, at: int) -> None:
    played = Run(Server(), dialect, 9)
    handing = played.next_message

    def next_message() -> Prepared[int] | None:
        if len(played.handed) == at:
            raise DiskFullError
        return handing()

    played.pipeline._next_message = next_message
    results = played.go()
    assert isinstance(played.pipeline.error, DiskFullError)
    assert all(result in (SENT, (Phase.DATA, 0), (Phase.MAIL, 0)) for result in summary(results).values())


def test_a_body_that_doesnt_end_its_last_line_is_refused() -> None:
    """Its last line would swallow the final dot, and with it the next mail."""
    played = Run(Server(), DIALECTS["pipelining"], 1)
    played.pipeline._next_message = iter([Prepared(0, mail(0).envelope, [b"no line end"]), None]).__next__
    played.handed.append(0)
    assert summary(played.go()) == {0: (Phase.DATA, 0)}
    assert isinstance(played.pipeline.error, ValueError)


def test_what_a_server_offers_decides_how_it_is_spoken_to() -> None:
    assert decide_dialect(frozenset({"pipelining", "chunking"}), 4) == Dialect(True, True, 4)
    assert decide_dialect(frozenset({"pipelining", "size"}), 4) == Dialect(True, False, 1)
    assert decide_dialect(frozenset({"chunking"}), 4) == Dialect(False, True, 1)
    assert decide_dialect(frozenset(), 0) == Dialect(False, False, 1)


def test_commands_hold_addresses_and_options() -> None:
    assert compose_commands("", "a@b.example") == b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n"
    lines = compose_commands("s@b.example", "jörg@b.example", "SIZE=9 SMTPUTF8", "NOTIFY=NEVER")
    assert lines.decode() == "MAIL FROM:<s@b.example> SIZE=9 SMTPUTF8\r\nRCPT TO:<jörg@b.example> NOTIFY=NEVER\r\n"


@pytest.mark.parametrize("bad", ["a\r\nRCPT TO:<x@y>", "a b@c", "a>@c", "<a@c", "a\x00@c", "a\x7f@c", "a\n"])
def test_an_address_cant_end_its_line_early(bad: str) -> None:
    with pytest.raises(ValueError, match="can't stand in an SMTP command"):
        compose_commands(bad, "a@b.example")
    with pytest.raises(ValueError, match="can't stand in an SMTP command"):
        compose_commands("a@b.example", bad)


@pytest.mark.parametrize("bad", ["SIZE=1\r\nDATA", "ä", "\x7f"])
def test_options_cant_end_their_line_early(bad: str) -> None:
    with pytest.raises(ValueError, match="can't be options"):
        compose_commands("a@b.example", "a@b.example", bad)
