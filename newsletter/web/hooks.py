"""What mail providers tell us over HTTP about our mail: who may call, and what is done with it.

Each provider proves itself in its own way before anything it says is read; one that isn't configured is answered as an
address that isn't there. A call is answered 200 once it is in the ledger; calls come again until then.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import PlainTextResponse, Response

from newsletter.bounces.intake import take_events
from newsletter.bounces.providers import mailgun, postmark, sendgrid, ses
from newsletter.bounces.providers.reading import PayloadError
from newsletter.mail.reports.read import Ours
from newsletter.model.verdict import Event
from newsletter.secret import read_password
from newsletter.web.visit import Visit


def take_postmark(visit: Visit) -> Response:
    """Take in a call of Postmark's, which carries our password."""
    path = visit.house.settings.bounces.postmark_password_file
    if path is None:
        return _nothing_here()
    if not _has_password(visit.headers, read_password(path, "bounces.postmark_password_file")):
        return _say(HTTPStatus.UNAUTHORIZED, {"www-authenticate": 'Basic realm="newsletter"'})
    return _take(visit, lambda: postmark.parse_events(visit.body))


def take_sendgrid(visit: Visit) -> Response:
    """Take in a call of SendGrid's, which is signed."""
    key = visit.house.settings.bounces.sendgrid_key
    if not key:
        return _nothing_here()
    signature = visit.headers.get(sendgrid.SIGNATURE_HEADER.lower(), "")
    stamp = visit.headers.get(sendgrid.TIMESTAMP_HEADER.lower(), "")
    if not sendgrid.check_signature(visit.body, stamp, signature, key):
        return _say(HTTPStatus.FORBIDDEN)
    return _take(visit, lambda: sendgrid.parse_events(visit.body))


def take_mailgun(visit: Visit) -> Response:
    """Take in a call of Mailgun's, which is signed and not old."""
    path = visit.house.settings.bounces.mailgun_key_file
    if path is None:
        return _nothing_here()
    try:
        call = mailgun.parse_call(visit.body)
    except PayloadError:
        return _say(HTTPStatus.BAD_REQUEST)
    if not mailgun.check_signature(call, read_password(path, "bounces.mailgun_key_file"), visit.now):
        return _say(HTTPStatus.FORBIDDEN)
    return _take(visit, lambda: mailgun.parse_events(call))


def take_ses(visit: Visit) -> Response:
    """Take in a message of SNS, signed by a certificate of Amazon's and of a topic of ours."""
    topics = visit.house.settings.bounces.ses_topics
    if not topics:
        return _nothing_here()
    try:
        envelope = ses.parse_envelope(visit.body)
    except PayloadError:
        return _say(HTTPStatus.BAD_REQUEST)
    if envelope.topic not in topics or not ses.is_certificate_url(envelope.certificate_url):
        return _say(HTTPStatus.FORBIDDEN)
    fetch = visit.house.fetch
    try:
        if not ses.check_signature(envelope, fetch(envelope.certificate_url)):
            return _say(HTTPStatus.FORBIDDEN)
        if envelope.kind == "SubscriptionConfirmation" and ses.is_subscribe_url(envelope.subscribe_url):
            fetch(envelope.subscribe_url)
    except OSError:
        return _say(HTTPStatus.SERVICE_UNAVAILABLE)
    if envelope.kind != "Notification":
        return _say(HTTPStatus.OK)
    desk = visit.house.intake
    ours = desk.ours if desk else Ours((), "")
    return _take(visit, lambda: ses.parse_events(envelope, ours.keys, ours.bounce_domain))


def _take(visit: Visit, parse: Callable[[], Iterable[Event]]) -> Response:
    desk = visit.house.intake
    if desk is None:
        return _nothing_here()
    try:
        events = list(parse())
    except PayloadError:
        return _say(HTTPStatus.BAD_REQUEST)
    if events:
        take_events(desk, events)
        visit.house.ring()
    return _say(HTTPStatus.OK)


def _has_password(headers: Mapping[str, str], password: str) -> bool:
    """Return whether HTTP Basic credentials hold the password; the user name is anybody's."""
    kind, _, word = headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(word.strip(), validate=True).partition(b":")[2]
    except (ValueError, binascii.Error):
        given = b""
    return hmac.compare_digest(given, password.encode()) and kind.lower() == "basic"


_WORDS: Final = {
    HTTPStatus.OK: "taken in\n",
    HTTPStatus.BAD_REQUEST: "this is not what the provider is documented to send\n",
    HTTPStatus.UNAUTHORIZED: "the password is missing or wrong\n",
    HTTPStatus.FORBIDDEN: "the signature is missing or wrong\n",
    HTTPStatus.SERVICE_UNAVAILABLE: "not now, call again\n",
    HTTPStatus.NOT_FOUND: "this provider is not configured\n",
}


def _nothing_here() -> Response:
    return _say(HTTPStatus.NOT_FOUND)


def _say(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(_WORDS[status], status, headers)
