"""What the intake writes: to a reader whose mail comes back, and to the editor who gets people's replies.

Refuses to answer: a letter goes to the address that the ledger knows, never to one that a mail names.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from newsletter.bounces.policy import PROBE_EDITION, WARNING_EDITION
from newsletter.config import name_config
from newsletter.mail.reports.addresses import find_address
from newsletter.mail.reports.limits import LIMITS
from newsletter.mail.reports.structure import parse_mail
from newsletter.mail.reports.text import read_words
from newsletter.mail.token import Purpose, make_token
from newsletter.model.bounce import Report
from newsletter.model.notice import Letter, LetterKind, NewNotice, WriteLetter
from newsletter.model.subscriber import Subscriber

_WORTH: Final = timedelta(days=5)
_REPLY_LENGTH: Final = 20_000

_LIMIT_REACHED: Final = """\
{most} mails that people wrote were forwarded to you within 24 hours. What comes beyond is kept:
`newsletter bounces list --kept` lists it, and `newsletter bounces show --kept NUMBER` shows one.
"""


@dataclass(frozen=True, slots=True)
class Letters:
    """Writes them. `key` signs links, `editor` gets replies (empty: nobody does), in `language`;
    what he is told to do names the `config`."""

    write_letter: WriteLetter
    key: bytes
    editor: str
    language: str
    config: Path | None = None

    def warn(self, reader: Subscriber, missed: list[tuple[str, str]], now: datetime) -> NewNotice:
        """Tell a reader which issues came back from him, each by title and page."""
        return self._write(LetterKind.MISSED, reader, WARNING_EDITION, now, tuple(missed))

    def probe(self, reader: Subscriber, now: datetime) -> NewNotice:
        """Write to a reader once more, to find out whether anything reaches him."""
        return self._write(LetterKind.PROBE, reader, PROBE_EDITION, now)

    def forward(self, raw: bytes, report: Report, now: datetime) -> NewNotice | None:
        """Hand a person's reply to the editor, who answers it by answering; None without an editor."""
        if not self.editor:
            return None
        mail, _ = parse_mail(raw, LIMITS)
        said = read_words(mail, LIMITS).said.replace("\0", "").strip()[:_REPLY_LENGTH]
        sender = find_address(report.sender)
        return NewNotice(
            kind="reply",
            address=self.editor,
            subject=f"Fwd: {report.subject or 'a reply'}",
            text=f"From: {report.sender}\nSubject: {report.subject}\n\n{said}\n",
            language=self.language,
            expires_at=now + _WORTH,
            headers={"Reply-To": sender} if sender else {},
        )

    def tell_limit(self, most: int, now: datetime) -> NewNotice:
        """Tell the editor, once a day, that no more of what people write is forwarded for now."""
        return NewNotice(
            kind="reply",
            key=f"forwarding-limit-{now:%Y-%m-%d}",
            address=self.editor,
            subject="More mail than is forwarded in a day",
            text=name_config(_LIMIT_REACHED.format(most=most), self.config),
            language=self.language,
            expires_at=now + _WORTH,
        )

    def _write(
        self,
        kind: LetterKind,
        reader: Subscriber,
        number: int,
        now: datetime,
        missed: tuple[tuple[str, str], ...] = (),
    ) -> NewNotice:
        token = make_token(self.key, Purpose.PREFERENCES, reader.id, 0)
        leave = make_token(self.key, Purpose.UNSUBSCRIBE, reader.id, 0)
        said = self.write_letter(Letter(kind, reader.language, reader.address, token, leave, missed=missed))
        return NewNotice(
            kind=kind,
            address=reader.address,
            subject=said.subject,
            text=said.text,
            html=said.html,
            headers=said.headers,
            language=said.language,
            expires_at=now + _WORTH,
            subscriber_id=reader.id,
            return_number=number,
        )
