"""For machines that watch the service: is it alive, is it ready, and its numbers.

`/healthz` and `/readyz` tell everybody no more than yes or no. Reasons and numbers are for `[web] watchers`.
"""

import ipaddress
from http import HTTPStatus

from starlette.responses import PlainTextResponse, Response

from newsletter.metrics import CONTENT_TYPE, render_metrics
from newsletter.watching import check_readiness, load_overview
from newsletter.web.visit import Visit

_HEADERS = {"cache-control": "no-store"}


def show_health(visit: Visit) -> Response:  # noqa: ARG001 - every action is given the visit
    """Say that the process answers."""
    return PlainTextResponse("alive\n", headers=_HEADERS)


def show_readiness(visit: Visit) -> Response:
    """Say whether the database can be read and the schedule is kept; 503 if not."""
    house = visit.house
    problems = check_readiness(house.settings, house.database, visit.now)
    if not problems:
        return PlainTextResponse("ready\n", headers=_HEADERS)
    reasons = problems if _may_watch(visit) else ["not ready"]
    text = "\n".join(reasons) + "\n"
    return PlainTextResponse(text, HTTPStatus.SERVICE_UNAVAILABLE, headers=_HEADERS)


def show_metrics(visit: Visit) -> Response:
    """Give the numbers of the ledger to those who may have them; to others there is nothing here."""
    if not _may_watch(visit):
        return PlainTextResponse("nothing here\n", HTTPStatus.NOT_FOUND, headers=_HEADERS)
    house = visit.house
    view = load_overview(house.settings, house.database, visit.now)
    return Response(render_metrics([view]), media_type=CONTENT_TYPE, headers=_HEADERS)


def _may_watch(visit: Visit) -> bool:
    """Return whether who asks is one of `[web] watchers`; a Unix socket's peer, who has no address, isn't.

    Whoever came through a proxy that we don't know looks as if he were on this machine, and is believed to be anybody.
    """
    try:
        address = ipaddress.ip_address(visit.client)
    except ValueError:
        return False
    if address.is_loopback and {"x-forwarded-for", "forwarded"} & visit.headers.keys():
        return False
    return any(address in ipaddress.ip_network(network) for network in visit.house.settings.web.watchers)
