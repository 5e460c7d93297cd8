"""A mail to be looked at: in a frame that can run nothing, and where links to nobody stand for each reader's own."""

import re

from starlette.responses import PlainTextResponse, Response

from newsletter.model.edition import hide_personal
from newsletter.web.headers import NO_STORE, Nature, compose_headers
from newsletter.web.visit import Visit

_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)


def show_mail(visit: Visit, html: str) -> Response:
    """Return a mail's HTML. Its links open beside the page, for the frame may lead nowhere."""
    web = visit.house.settings.web
    shown = _HEAD.sub(lambda found: f'{found[0]}<base target="_blank">', hide_personal(html), count=1)
    headers = {**dict(compose_headers(Nature.MAIL, web.image_hosts)), "cache-control": NO_STORE}
    return Response(shown, media_type="text/html; charset=utf-8", headers=headers)


def show_text(text: str) -> Response:
    """Return a mail's text."""
    headers = {**dict(compose_headers(Nature.MAIL)), "cache-control": NO_STORE}
    return PlainTextResponse(hide_personal(text), headers=headers)
