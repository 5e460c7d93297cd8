"""Parts of a mail: found in broken MIME, and never more than the limits allow."""

import base64

from newsletter.mail.reports.limits import LIMITS, Limits
from newsletter.mail.reports.read import read_report
from newsletter.mail.reports.structure import Part, decode_part, parse_mail, walk_parts


def kinds(raw: bytes, limits: Limits = LIMITS) -> list[str]:
    return [part.kind for part in walk_parts(parse_mail(raw, limits)[0], into_messages=True)]


def text(raw: bytes) -> str:
    return decode_part(parse_mail(raw, LIMITS)[0], LIMITS.text)


def test_a_mail_without_mime_is_one_text() -> None:
    assert kinds(b"From: a@b\n\nHello\n") == ["text/plain"]


def test_parts_stand_between_delimiters() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nA\n--x\nContent-Type: text/html\n\nB\n--x--\nC"
    assert kinds(raw) == ["text/plain", "text/html"]


def test_a_missing_last_delimiter_is_the_end() -> None:
    assert kinds(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nA\n--x\n\nB") == ["text/plain", "text/plain"]


def test_a_boundary_that_is_not_told_is_guessed() -> None:
    raw = b"Content-Type: multipart/report\n\n--y\nContent-Type: text/plain\n\nA\n--y\nContent-Type: text/html\n\nB"
    assert kinds(raw) == ["text/plain", "text/html"]


def test_a_multipart_without_any_boundary_is_one_text() -> None:
    assert kinds(b"Content-Type: multipart/mixed\n\nHello") == ["text/plain"]


def test_a_message_within_is_read_even_in_base64() -> None:
    inner = base64.b64encode(b"Subject: x\nContent-Type: text/html\n\n<p>A</p>")
    assert kinds(b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + inner) == ["text/html"]


def test_what_is_nested_too_deeply_is_cut() -> None:
    raw = b""
    for level in range(30):
        raw += b"Content-Type: multipart/mixed; boundary=x%d\n\n--x%d\n" % (level, level)
    mail, cut = parse_mail(raw + b"\nhello", LIMITS)
    assert cut
    assert len(list(walk_parts(mail))) == 1


def test_messages_nested_too_deeply_are_cut() -> None:
    assert parse_mail(b"Content-Type: message/rfc822\n\n" * 3000 + b"hello", LIMITS)[1]


def test_more_parts_than_allowed_are_not_read() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\nA\n" * 5000
    mail, cut = parse_mail(raw, LIMITS)
    assert cut
    assert len(mail.parts) == LIMITS.parts


def test_a_mail_that_is_too_large_is_read_as_far_as_it_goes() -> None:
    raw = b"From: MAILER-DAEMON@x\nSubject: Undelivered\n\n<r@example.com>: 550 User unknown\n" + b"x" * 4000
    report = read_report(raw, limits=Limits(size=200))
    assert report.cut
    assert report.findings[0].recipient == "r@example.com"


def test_recipients_are_limited() -> None:
    lines = b"".join(b"<r%d@example.com>: 550 User unknown\n" % number for number in range(500))
    raw = b"From: MAILER-DAEMON@x\nSubject: Undelivered\n\n" + lines
    assert len(read_report(raw, limits=Limits(recipients=5)).findings) == 5


def test_transfer_encodings_are_undone() -> None:
    assert text(b"Content-Transfer-Encoding: base64\n\nSGVsbG8=\n") == "Hello"
    assert text(b"Content-Transfer-Encoding: quoted-printable\n\nHe=6Clo=\n!\n") == "Hello!\n"


def test_text_that_only_claims_to_be_base64_stays() -> None:
    assert text(b"Content-Transfer-Encoding: base64\n\nHello, you!\n") == "Hello, you!\n"


def test_charsets_are_read_and_guessed() -> None:
    assert text(b"Content-Type: text/plain; charset=koi8-r\n\n" + "Привет".encode("koi8-r")) == "Привет"
    assert text(b"Content-Type: text/plain; charset=nonsense\n\n" + "Grüße".encode("latin-1")) == "Grüße"
    assert text(b"\n" + "Привет".encode("cp1251")) == "Привет"
    assert text(b"\n" + "宛先".encode("iso2022_jp")) == "宛先"


def test_a_charset_is_no_way_to_run_other_codecs() -> None:
    for name in (b"zip", b"bz2", b"rot13", b"unicode_escape", b"idna", b"punycode", b"../../x"):
        assert text(b"Content-Type: text/plain; charset=" + name + b"\n\n\\u0041x\xfc") == "\\u0041xü"


def test_a_part_keeps_its_parameters() -> None:
    mail, _ = parse_mail(b'Content-Type: text/plain; charset="utf-8"; name="a b"\n\nx', LIMITS)
    assert isinstance(mail, Part)
    assert mail.parameters == {"charset": "utf-8", "name": "a b"}
