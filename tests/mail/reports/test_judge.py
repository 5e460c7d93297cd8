"""Replies as servers are documented to give them, and what each means."""

import pytest

from newsletter.mail.reports.judge import HARD, Evidence, Judgement, judge
from newsletter.model.bounce import Reason, Severity


def read(text: str, status: str = "", code: int = 0) -> Judgement:
    return judge(Evidence((text,), status, code))


@pytest.mark.parametrize(
    "text",
    [
        "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
        "550-5.1.1 double-checking the recipient's email address for typos",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
        "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)",
        "554 delivery error: dd This user doesn't have a yahoo.com account (x@yahoo.com) [0]",
        "550 5.1.1 <x@orange.fr> Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]",
        "550 5.1.1 <x@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
        "Sorry, no mailbox here by that name. vpopmail (#5.1.1)",
        "host antispam.example.com[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT TO command)",
        "User x (x@example.com) not listed in Domino Directory",
        "550 Message was not accepted -- invalid mailbox. Local mailbox x@mail.ru is unavailable: user not found",
        "550 5.7.1 No such user!",
        "550 #5.1.0 Address rejected.",
        "554 5.7.1 <x@example.com>: Recipient address rejected: no such user here",
        "Unrouteable address",
        "Empfänger unbekannt",
        "550 L'adresse n'existe pas",
        "El usuario no existe",
        "宛先が見つかりません",
        "x-unix; 67",
        "550 spam@example.com: no such user",
        "550 5.1.1 <x@example.com>: Recipient address rejected: gone",
        "host mx1.example.net[192.0.2.1] said: 550 5.1.1 Mailbox not found",
    ],
)
def test_an_unknown_user_is_hard(text: str) -> None:
    judgement = read(text)
    assert (judgement.reason, judgement.severity) == (Reason.USER_UNKNOWN, Severity.HARD)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sorry, I couldn't find any host named nowhere.invalid. (#5.1.2)", Reason.HOST_UNKNOWN),
        ("Sorry, I couldn't find any host by that name. (#4.1.2)", Reason.HOST_UNKNOWN),
        ("554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain", Reason.HOST_UNKNOWN),
        ("all relevant MX records point to non-existent hosts", Reason.HOST_UNKNOWN),
        ("550 5.1.2 Host unknown (Name server: mx.nowhere.invalid: host not found)", Reason.HOST_UNKNOWN),
        ("Domain example.com does not accept mail (nullMX)", Reason.NO_MAIL_HOST),
        ("an MX or SRV record indicated no SMTP service", Reason.NO_MAIL_HOST),
        ("521 5.3.2 mail.example.com does not accept mail", Reason.NO_MAIL_HOST),
        ("550 5.1.6 recipient no longer on server", Reason.MOVED),
        ("551 User has moved; please try <new@example.com>", Reason.MOVED),
    ],
)
def test_an_address_that_is_gone_is_hard(text: str, reason: Reason) -> None:
    judgement = read(text)
    assert (judgement.reason, judgement.severity) == (reason, Severity.HARD)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("552-5.2.2 The email account that you tried to reach is over quota.", Reason.MAILBOX_FULL),
        ("554 5.2.2 mailbox full;STOREDRV.Deliver.Exception:QuotaExceededException", Reason.MAILBOX_FULL),
        ("552 5.1.1 <x@orange.fr> Boite du destinataire pleine. Recipient overquota. OFR_417", Reason.MAILBOX_FULL),
        ("mailbox is full: retry timeout exceeded", Reason.MAILBOX_FULL),
        ("550-5.2.1 The email account that you tried to reach is disabled.", Reason.MAILBOX_DISABLED),
        ("554 This account has been disabled or discontinued [#102].", Reason.MAILBOX_DISABLED),
        ("550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", Reason.FILTERED),
        ("550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent (S3150).", Reason.REPUTATION),
        ("550 mailbox unavailable. The IP address is on a black list", Reason.REPUTATION),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", Reason.REPUTATION),
        ("550 5.1.1 <x@y.example>: blocked using zen.spamhaus.org", Reason.REPUTATION),
        ("550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.", Reason.AUTHENTICATION),
        ("550 5.7.509 Access denied, sending domain does not pass DMARC verification", Reason.AUTHENTICATION),
        ("554 5.7.1 Client host rejected: cannot find your reverse hostname", Reason.AUTHENTICATION),
        ("421 4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume", Reason.RATE_LIMITED),
        ("421-4.7.28 Gmail has detected an unusual rate of unsolicited mail", Reason.RATE_LIMITED),
        ("550-5.7.1 likely unsolicited mail. To reduce the amount of spam", Reason.SPAM),
        ("554 5.7.1 Message rejected under suspicion of SPAM", Reason.SPAM),
        ("554 5.3.0 Virus detected in message", Reason.VIRUS),
        ("552 5.3.4 Message size exceeds fixed maximum message size", Reason.TOO_LARGE),
        ("552-5.7.0 Our system detected an illegal attachment on your message", Reason.CONTENT),
        ("550-5.7.1 This message is not RFC 5322 compliant", Reason.NOT_COMPLIANT),
        ("554 5.7.1 <x@example.com>: Relay access denied", Reason.RELAYING_DENIED),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", Reason.RELAYING_DENIED),
        ("501 5.1.8 Domain of sender address x@y does not exist", Reason.SENDER_REFUSED),
        ("550 5.1.0 <x@y.example>: Sender address rejected: User unknown", Reason.SENDER_REFUSED),
        ("451 4.7.1 Greylisting in action, please come back later", Reason.GREYLISTED),
        ("450 4.2.0 <x@y.example>: Recipient address rejected: Greylisted", Reason.GREYLISTED),
        ("550 4.4.7 QUEUE.Expired; message expired", Reason.EXPIRED),
        ("connect to mx.example.com[192.0.2.4]:25: Connection timed out", Reason.NETWORK),
        ("Name service error for name=example.org type=MX: Host not found, try again", Reason.NETWORK),
        ("mail for example.org loops back to myself", Reason.LOOP),
        ("452 4.3.1 Insufficient system storage", Reason.SYSTEM_FULL),
        ("Command died with status 1: /usr/bin/procmail", Reason.SYSTEM),
        ("530 5.7.0 Must issue a STARTTLS command first", Reason.ENCRYPTION),
        ("550 Administrative prohibition", Reason.POLICY),
        ("503 5.5.1 bad sequence of commands", Reason.PROTOCOL),
        ("550 Mailbox unavailable or access denied", Reason.POLICY),
        ("550 It was nothing", Reason.UNDETERMINED),
        ("", Reason.UNDETERMINED),
    ],
)
def test_what_may_change_or_is_not_about_the_address_is_soft(text: str, reason: Reason) -> None:
    judgement = read(text)
    assert (judgement.reason, judgement.severity) == (reason, Severity.SOFT)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("5.1.1", Reason.USER_UNKNOWN),
        ("5.1.2", Reason.HOST_UNKNOWN),
        ("5.4.4", Reason.HOST_UNKNOWN),
        ("4.4.4", Reason.NETWORK),
        ("5.1.6", Reason.MOVED),
        ("5.1.8", Reason.SENDER_REFUSED),
        ("5.2.1", Reason.MAILBOX_DISABLED),
        ("5.2.2", Reason.MAILBOX_FULL),
        ("5.3.2", Reason.NO_MAIL_HOST),
        ("4.3.2", Reason.SYSTEM),
        ("5.3.4", Reason.TOO_LARGE),
        ("5.4.6", Reason.LOOP),
        ("5.4.7", Reason.EXPIRED),
        ("5.7.1", Reason.POLICY),
        ("5.7.23", Reason.AUTHENTICATION),
        ("5.7.606", Reason.REPUTATION),
        ("5.0.0", Reason.UNDETERMINED),
    ],
)
def test_without_words_the_enhanced_status_tells(status: str, reason: Reason) -> None:
    judgement = read("", status)
    assert judgement.reason is reason
    assert judgement.severity is (Severity.HARD if reason in HARD else Severity.SOFT)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(552, Reason.MAILBOX_FULL), (521, Reason.NO_MAIL_HOST), (550, Reason.UNDETERMINED), (421, Reason.SYSTEM)],
)
def test_without_both_the_basic_code_tells_if_it_can(code: int, reason: Reason) -> None:
    assert read(f"{code} hm").reason is reason


@pytest.mark.parametrize(
    "text",
    [
        "450 4.1.1 User unknown in local recipient table",
        "450 unknown user",
        "451 4.3.2 does not accept mail",
        "host mx.x.example said: 450 mailbox not found",
    ],
)
def test_a_temporary_reply_is_never_hard(text: str) -> None:
    assert read(text).severity is Severity.SOFT


def test_an_unknown_user_after_the_whole_mail_is_a_filter() -> None:
    judgement = read(
        "host mx.example.jp[192.0.2.1] said: 550 Unknown user x@example.jp (in reply to end of DATA command)"
    )
    assert (judgement.reason, judgement.severity) == (Reason.FILTERED, Severity.SOFT)


def test_an_unknown_user_after_the_whole_mail_is_meant_if_its_status_says_so() -> None:
    assert read("550 5.1.1 User unknown (in reply to end of DATA command)").severity is Severity.HARD


def test_a_transcript_with_rcpt_and_data_is_about_rcpt() -> None:
    transcript = ">>> RCPT To:<x@example.jp>\n<<< 550 Unknown user x@example.jp\n>>> DATA\n<<< 503 Bad sequence"
    assert read(transcript).severity is Severity.HARD


def test_words_beside_count_when_the_server_said_nothing() -> None:
    judgement = judge(Evidence(("554 Service unavailable", "<<< 550 5.7.1 Relaying denied", ""), "5.0.0"))
    assert judgement.reason is Reason.RELAYING_DENIED


def test_a_telling_status_counts_more_than_words_around() -> None:
    assert judge(Evidence(("550 no", "", "your message looked like spam"), "5.1.1")).reason is Reason.USER_UNKNOWN


def test_codes_are_found_where_the_reply_is_quoted() -> None:
    judgement = read("host mx.example.com[192.0.2.1] said: 552-5.2.2 Over quota")
    assert (judgement.status, judgement.code) == ("5.2.2", 552)


def test_an_ip_address_is_no_status() -> None:
    assert read("Giving up on 5.1.1.25").status == ""
