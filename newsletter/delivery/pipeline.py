"""Many mails over one connection, each in one round trip: which bytes go out when, and which reply is whose.

Owns SMTP's mail transactions (RFC 5321 section 3.3) with command pipelining (RFC 2920) and chunking (RFC 3030). Knows
no socket, no clock and no event loop: bytes come in by `feed`, and go out by the function it is given.

What travels together, by what the server offers:

    PIPELINING               body k, its dot, and MAIL RCPT DATA of mail k+1
    PIPELINING and CHUNKING  RSET MAIL RCPT BDAT and body k, so many bodies at once as the window is wide
    neither                  one command

Replies come in the order of commands, so the first transaction in flight owns the next reply: it knows which step was
written and not yet answered. Every mail that was begun gets exactly one result, whatever the server does: the first
refusal, else the answer to its body; without an answer code 0, with phase DOT if the body was written.

RSET goes before MAIL wherever the server may still have an older transaction open. RFC 3030 leaves that open after a
refused BDAT, when the next mail may be on its way already: so with chunks it goes before every mail.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Generic

from newsletter.delivery.exchange import Dialect, Key, Prepared, Result
from newsletter.delivery.policy import Phase
from newsletter.delivery.replies import MAX_REPLY, read_code, read_reply, split_replies
from newsletter.model.delivery import Reply

_RSET: Final = None
_MAIL: Final = Phase.MAIL
_RCPT: Final = Phase.RCPT
_DATA: Final = Phase.DATA
_DOT: Final = Phase.DOT

Steps = tuple[Phase | None, ...]
_DATA_STEPS: Final[Steps] = (_MAIL, _RCPT, _DATA, _DOT)
_CHUNK_STEPS: Final[Steps] = (_MAIL, _RCPT, _DOT)

_START_INPUT: Final = 354
_CLOSING: Final = 421


class _Transaction(Generic[Key]):
    """A mail in flight: of its steps, `sent` were written and `heard` were answered."""

    __slots__ = ("heard", "message", "opened", "sent", "settled", "steps", "taking")

    def __init__(self, message: Prepared[Key], steps: Steps) -> None:
        self.message = message
        self.steps = steps
        self.sent = 0
        self.heard = 0
        self.opened = False  # the server took MAIL
        self.taking = False  # the server said 354 and waits for a body
        self.settled = False  # the result is out


class Pipeline(Generic[Key]):
    """Sends mails over one connection until there is no more, or the connection is of no more use.

    `next_message` hands out mails; None ends it. `before_body` is called right before the bytes that complete a mail
    are written. `on_result` is called once for each mail. If one of them raises, nothing more is begun, what is on its
    way is awaited, and `error` keeps the first exception. `fresh` tells that no transaction can be open.
    """

    def __init__(
        self,
        dialect: Dialect,
        write: Callable[[list[bytes]], None],
        next_message: Callable[[], Prepared[Key] | None],
        before_body: Callable[[Prepared[Key]], None],
        on_result: Callable[[Prepared[Key], Result], None],
        *,
        fresh: bool = True,
    ) -> None:
        self.finished = False
        self.fresh = fresh
        self.error: Exception | None = None
        self._pipelining = dialect.pipelining
        self._chunking = dialect.chunking
        self._window = dialect.window
        self._dsn = dialect.dsn
        self._write = write
        self._next_message = next_message
        self._before_body = before_body
        self._on_result = on_result
        self._steps = _CHUNK_STEPS if dialect.chunking else _DATA_STEPS
        self._reset_steps = (_RSET, *self._steps)
        self._flight: deque[_Transaction[Key]] = deque()
        self._ahead: _Transaction[Key] | None = None  # the newest in flight, as long as its body isn't written
        self._rest = b""
        self._usual: tuple[Steps, bytes] = (), b""
        self._paused = False
        self._stopping = False  # nothing new is begun
        self._leaving = ""  # why the connection must not be used again

    @property
    def reusable(self) -> bool:
        """Return whether another pipeline may follow on the same connection."""
        return self.finished and not self._leaving

    @property
    def awaiting(self) -> Phase | None:
        """Return what the server has to answer next, or None if it is our turn."""
        first = self._flight[0] if self._flight else None
        return (first.steps[first.heard] or _MAIL) if first and first.heard < first.sent else None

    def start(self) -> None:
        """Write the first commands."""
        self._advance()

    def stop(self) -> None:
        """Begin nothing new; what was begun is finished."""
        self._stopping = True

    def pause(self) -> None:
        """Write nothing until `resume`: the connection's buffer is full."""
        self._paused = True

    def resume(self) -> None:
        """Write again."""
        self._paused = False
        if not self.finished:
            self._advance()

    def feed(self, data: bytes) -> bool:
        """Take bytes from the server; return whether a reply was complete."""
        if self._rest or not self._hear_usual(data):
            return self._hear_all(data)
        self._advance()
        return True

    def lose(self, reason: str) -> None:
        """Give up the connection: everything that has no result yet gets one, without a reply."""
        if self.finished:
            return
        self._leaving = self._leaving or reason
        self._ahead = None
        while self._flight:
            transaction = self._flight.popleft()
            self._settle(transaction, _unanswered(transaction), Reply(0, "", reason))
        self.finished = True

    # What comes in

    def _hear_usual(self, data: bytes) -> bool:
        """Take a 250 to a body, and behind it replies to an envelope that are byte for byte those to an earlier one.

        Nearly all of a run is this, so nearly nothing has to be read twice.
        """
        ahead, (steps, replies) = self._ahead, self._usual
        if ahead is None or ahead.steps is not steps or len(self._flight) != 2:
            return False
        first = self._flight[0]
        end = data.find(b"\n")
        if first.heard != len(first.steps) - 1 or data[:4] != b"250 " or data[end + 1 :] != replies:
            return False
        self._flight.popleft()
        self._settle(first, _DOT, data[:end])
        ahead.heard = ahead.sent
        ahead.opened, ahead.taking = True, not self._chunking
        return True

    def _hear_all(self, data: bytes) -> bool:
        replies, self._rest = split_replies(self._rest + data)
        for reply in replies:
            self._hear(reply)
            if self.finished:
                return True
        if len(self._rest) > MAX_REPLY:
            self.lose("the server's answer has no end")
            return True
        self._learn_usual(data, len(replies))
        self._advance()
        return bool(replies)

    def _learn_usual(self, data: bytes, count: int) -> None:
        """Keep the replies to an envelope if it was taken, and they came behind exactly one other reply."""
        ahead = self._ahead
        if not ahead or ahead.settled or self._rest or count != data.count(b"\n"):
            return
        if ahead.heard == ahead.sent == count - 1:
            self._usual = ahead.steps, data[data.index(b"\n") + 1 :]

    def _hear(self, reply: bytes) -> None:
        transaction = self._flight[0] if self._flight else None
        code = read_code(reply)
        if transaction is None or transaction.heard == transaction.sent:
            if transaction and transaction.taking and code >= 400:  # it said 354, and thought better of it
                self._settle(transaction, _DATA, reply)
            self.lose(f"the server spoke out of turn: {_quote(reply)}")
            return
        step = transaction.steps[transaction.heard]
        if not _is_answer(step, code):
            self.lose(f"the server's answer makes no sense: {_quote(reply)}")
            return
        transaction.heard += 1
        if step is _DOT:
            self._flight.popleft()
            self.fresh = self.fresh and (code < 400 or not self._chunking)
            self._settle(transaction, _DOT, reply)
        elif code >= 400 and step is not _RSET:
            self._settle(transaction, step, reply)
        elif step is _MAIL:
            transaction.opened = True
        elif step is _DATA:
            transaction.taking = True
        if code == _CLOSING:
            self._leave(f"the server is closing the connection: {_quote(reply)}")

    def _settle(self, transaction: _Transaction[Key], phase: Phase, reply: bytes | Reply) -> None:
        if transaction.settled:
            return
        transaction.settled = True
        result = Result(phase, read_reply(reply) if isinstance(reply, bytes) else reply)
        try:
            self._on_result(transaction.message, result)
        except Exception as error:  # the caller's, and handed back to him
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.error = self.error or error
        self._leave("sending was stopped by an error of ours")

    def _leave(self, reason: str) -> None:
        self._leaving = self._leaving or reason
        self._stopping = True

    # What goes out

    def _advance(self) -> None:
        """Write all that may be written now: in one go, or body by body, since each may be too much for the buffer."""
        out: list[bytes] = []
        while not (self._leaving or self._paused):
            if not (self._begin(out) if self._ahead is None else self._proceed(self._ahead, out)):
                break
            if out and self._ahead is None and self._window > 1:
                self._write(out)
                out = []
        if out:
            self._write(out)
        if self._leaving:
            self._retreat()
        self.finished = self.finished or (self._stopping and not self._flight)

    def _begin(self, out: list[bytes]) -> bool:
        """Begin the next mail; return whether there may be more to write."""
        if self._stopping or (self._flight and not self._pipelining):
            return False
        try:
            message = self._next_message()
        except Exception as error:  # the caller's, and handed back to him
            self._fail(error)
            return False
        if message is None:
            self._stopping = True
            return False
        self._ahead = _Transaction(message, self._steps if self.fresh else self._reset_steps)
        self._flight.append(self._ahead)
        self.fresh = not (self._chunking and self._pipelining)
        self._write_commands(self._ahead, out)
        return self._window > 1

    def _proceed(self, transaction: _Transaction[Key], out: list[bytes]) -> bool:
        """Write the next bytes of the mail whose body isn't written; return whether there may be more to write."""
        waiting = transaction.heard < transaction.sent
        if waiting and (self._window == 1 or transaction.settled):
            return False
        if transaction.settled:
            return self._abandon(transaction, out)
        if transaction.sent < len(transaction.steps) - 1:
            self._write_commands(transaction, out)
            return False
        return len(self._flight) <= self._window and self._write_body(transaction, out)

    def _write_commands(self, transaction: _Transaction[Key], out: list[bytes]) -> None:
        message = transaction.message
        commands = (message.dsn_envelope if self._dsn else b"") or message.envelope
        if not self._chunking:
            commands += b"DATA\r\n"
        if transaction.steps[0] is _RSET:
            commands = b"RSET\r\n" + commands
        if self._pipelining:
            transaction.sent = len(transaction.steps) - 1
        else:
            commands = commands.splitlines(keepends=True)[transaction.sent]
            transaction.sent += 1
        out.append(commands)

    def _write_body(self, transaction: _Transaction[Key], out: list[bytes]) -> bool:
        body = transaction.message.body
        try:
            if body[-1][-2:] != b"\r\n":
                raise ValueError("a body's last piece must end with CRLF")
            self._before_body(transaction.message)
        except Exception as error:  # the caller's, and handed back to him
            self._fail(error)
            return False
        if self._chunking:
            out.append(b"BDAT %d LAST\r\n" % sum(map(len, body)))
            out += body
        else:
            out += body
            out.append(b".\r\n")
        transaction.sent += 1
        self._ahead = None
        return True

    def _abandon(self, transaction: _Transaction[Key], out: list[bytes]) -> bool:
        """Leave a refused mail without sending its body.

        After a 354 the server waits for one: a lone dot ends it (RFC 2920 section 3.1), and its answer counts for
        nothing. Otherwise RSET goes before the next mail, if the server may still have this one open.
        """
        self._ahead = None
        if transaction.taking:
            out.append(b".\r\n")
            transaction.sent += 1
        else:
            self._flight.pop()
            self.fresh = self.fresh and not transaction.opened
        return True

    def _retreat(self) -> None:
        """Take back the mail whose body isn't written, and wait only for those that were."""
        if self._ahead:
            transaction = self._flight.pop()
            self._ahead = None
            self._settle(transaction, _unanswered(transaction), Reply(0, "", self._leaving))
        if all(transaction.settled for transaction in self._flight):
            self._flight.clear()
            self.finished = True


def _is_answer(step: Phase | None, code: int) -> bool:
    """Return whether a code can be an answer to that command at all."""
    if step is _RSET:
        return 200 <= code < 300 or code == _CLOSING
    if step is _DATA:
        return code == _START_INPUT or code >= 400
    return code >= 400 or 200 <= code < 300


def _unanswered(transaction: _Transaction[Key]) -> Phase:
    """Return the phase in which a mail stays without an answer; DOT if and only if it may arrive."""
    if transaction.sent == len(transaction.steps):
        return _DOT
    if transaction.heard < transaction.sent:
        return transaction.steps[transaction.heard] or _MAIL
    return _DATA


def _quote(reply: bytes) -> str:
    said = read_reply(reply)
    return " ".join(part for part in (str(said.code or ""), said.enhanced, said.text) if part)
