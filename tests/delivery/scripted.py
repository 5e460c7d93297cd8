"""An SMTP server that says anything it is told to, and a run of mails against it, without sockets.

The server is strict about order and slow of wit: it obeys one line at a time. What it keeps is the truth that results
are held against.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from newsletter.delivery.exchange import Dialect, Prepared, Result, compose_commands
from newsletter.delivery.pipeline import Pipeline
from newsletter.delivery.policy import Phase

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
        before = len(self.taken)
        self._take(body)
        if self.resets_after_chunks or len(self.taken) > before:
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


class DiskFullError(Exception):
    """What a caller's own callback may raise."""


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
    handing_out_fails_at: int | None = None
    announcing_fails_at: int | None = None
    recording_fails_from: int | None = None
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
        if len(self.handed) == self.handing_out_fails_at:
            raise DiskFullError
        if len(self.handed) == self.count:
            return None
        self.handed.append(len(self.handed))
        return mail(self.handed[-1])

    def before_body(self, message: Prepared[int]) -> None:
        assert message.key not in self.server.taken, "announced too late"
        if message.key == self.announcing_fails_at:
            raise DiskFullError
        self.announced.append(message.key)

    def on_result(self, message: Prepared[int], result: Result) -> None:
        self.results.append((message.key, result))
        if self.stop_after == len(self.results):
            self.pipeline.stop()
        if self.recording_fails_from is not None and message.key >= self.recording_fails_from:
            raise DiskFullError(message.key)

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
SENT = (Phase.DOT, 250)


def run(dialect: Dialect, *script: str, count: int = 3) -> tuple[dict[int, Result], Server]:
    server = Server()
    return Run(server, dialect, count, list(script)).go(), server


def summary(results: dict[int, Result]) -> dict[int, tuple[Phase, int]]:
    return {key: (result.phase, result.reply.code) for key, result in sorted(results.items())}


class Fed:
    """A pipeline whose server is the test: it says what it likes, in the packets it likes."""

    def __init__(self, dialect: Dialect, count: int) -> None:
        self.written: list[bytes] = []
        self.announced: list[int] = []
        self.results: dict[int, Result] = {}
        mails = iter([mail(key) for key in range(count)])
        self.pipeline = Pipeline(
            dialect,
            self.written.extend,
            lambda: next(mails, None),
            lambda message: self.announced.append(message.key),
            lambda message, result: self.results.update({message.key: result}),
        )
        self.pipeline.start()

    def say(self, *packets: str) -> None:
        for packet in packets:
            self.pipeline.feed("".join(f"{line}\r\n" for line in packet.split("|")).encode())

    def texts(self) -> dict[int, str]:
        return {key: result.reply.text for key, result in self.results.items()}
