"""Preferences: what a reader sees and changes behind the signed link in each mail.

The link is the authority: there is no session and no cookie, so no other site can make a browser act for a reader
without having his link, and forms need no token against that.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from zoneinfo import ZoneInfo

from starlette.responses import Response

from newsletter.audience.moving import ask_to_move
from newsletter.audience.policy_joining import JoinStatus
from newsletter.audience.policy_preferences import LONGEST_PAUSE, Choices
from newsletter.audience.preferences import Preferences, change_preferences, load_preferences
from newsletter.audience.privacy import erase_reader, export_reader
from newsletter.mail.token import Purpose
from newsletter.model.subscriber import Subscriber, SubscriberState
from newsletter.web.headers import Nature, compose_headers
from newsletter.web.join import parse_cadence, retry_seconds
from newsletter.web.pages import redirect, show_json, show_lost_link, show_page, show_problem
from newsletter.web.visit import Visit

DONE = ("saved", "asked")
"""What the page says was done just now."""


def show_preferences(visit: Visit) -> Response:
    """Show what a reader has chosen."""
    known = load_preferences(visit.house.database, visit.house.reception.keys, visit.token, visit.now)
    if known is None:
        return show_lost_link(visit, Purpose.PREFERENCES)
    done = visit.query["done"]
    return _show(visit, known, done=done if done in DONE else "")


def take_preferences(visit: Visit) -> Response:
    """Do what the pressed button says."""
    known = load_preferences(visit.house.database, visit.house.reception.keys, visit.token, visit.now)
    if known is None:
        return show_lost_link(visit, Purpose.PREFERENCES)
    act = _ACTIONS.get(visit.form["do"])
    return act(visit, known) if act else _show(visit, known, HTTPStatus.BAD_REQUEST)


def _save(visit: Visit, known: Preferences) -> Response:
    house, reader = visit.house, known.subscriber
    try:
        until = _parse_pause(visit)
    except (ValueError, OverflowError):
        return _show(visit, known, HTTPStatus.UNPROCESSABLE_ENTITY, problems={"paused_until": "date"})
    choices = Choices(
        topics=frozenset(filter(None, visit.form.all_of("topics"))),
        cadence=parse_cadence(visit.form["cadence"]),
        language=visit.form["language"] or reader.language,
        paused_until=until,
        name=visit.form["name"] or reader.name,
    )
    offer, origin = house.reception.offer, visit.origin("page")
    change = change_preferences(house.database, offer, reader.id, choices, origin, visit.now)
    if change is None:
        return _show(visit, known, HTTPStatus.CONFLICT)
    if change.problems:
        problems = {problem.field: problem.code for problem in change.problems}
        return _show(visit, known, HTTPStatus.UNPROCESSABLE_ENTITY, problems=problems)
    return redirect(f"{visit.path}?done=saved")


def _move(visit: Visit, known: Preferences) -> Response:
    house, reader = visit.house, known.subscriber
    address = visit.form["address"].strip()
    answer = ask_to_move(house.database, house.reception, reader.id, address, visit.origin("page"), visit.now)
    if answer.status is JoinStatus.THROTTLED:
        headers = {"retry-after": str(retry_seconds(house.settings.joining))}
        return show_problem(visit, HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
    if answer.status is JoinStatus.INVALID:
        problems = {problem.field: problem.code for problem in answer.problems}
        return _show(visit, known, HTTPStatus.UNPROCESSABLE_ENTITY, problems=problems, new_address=address)
    house.ring()
    return redirect(f"{visit.path}?done=asked#address")


def _export(visit: Visit, known: Preferences) -> Response:
    kept = export_reader(visit.house.database, known.subscriber.id)
    headers = {**dict(compose_headers(Nature.PRIVATE)), "content-disposition": 'attachment; filename="my-data.json"'}
    answer = show_json(kept, headers=headers)
    del answer.headers["access-control-allow-origin"]  # this is the reader's own
    return answer


def _ask_to_erase(visit: Visit, known: Preferences) -> Response:
    return show_page(visit, "erase.html", language=_language(visit, known.subscriber), reader=known.subscriber)


def _erase(visit: Visit, known: Preferences) -> Response:
    erase_reader(visit.house.database, known.subscriber.id, visit.origin("page"), visit.now)
    return show_page(visit, "erased.html", language=_language(visit, known.subscriber))


_ACTIONS: Mapping[str, Callable[[Visit, Preferences], Response]] = {
    "save": _save,
    "move": _move,
    "export": _export,
    "erase": _ask_to_erase,
    "erase-for-good": _erase,
}


def _show(
    visit: Visit,
    known: Preferences,
    status: int = HTTPStatus.OK,
    *,
    done: str = "",
    problems: Mapping[str, str] | None = None,
    new_address: str = "",
) -> Response:
    house, reader = visit.house, known.subscriber
    zone = ZoneInfo(house.settings.publication.time_zone)
    paused = reader.paused_until if reader.paused_until and reader.paused_until > visit.now else None
    today = visit.now.astimezone(zone).date()
    return show_page(
        visit,
        "preferences.html",
        status=status,
        language=_language(visit, reader),
        reader=reader,
        reads=reader.state is not SubscriberState.LEFT,
        moving_to=known.moving_to,
        paused=paused.astimezone(zone).date() if paused else None,
        first_day=today + timedelta(days=1),
        last_day=today + LONGEST_PAUSE - timedelta(days=1),
        leave=house.reception.make_link(Purpose.UNSUBSCRIBE, reader.id),
        done=done,
        problems=problems or {},
        new_address=new_address,
    )


def _parse_pause(visit: Visit) -> datetime | None:
    """Return the moment at which a pause ends: the beginning of that day where the publication is.

    Raises ValueError and OverflowError for what is no day.
    """
    text = visit.form["paused_until"].strip()
    if not text:
        return None
    zone = ZoneInfo(visit.house.settings.publication.time_zone)
    return datetime.combine(date.fromisoformat(text), time(), zone).astimezone(UTC)


def _language(visit: Visit, reader: Subscriber) -> str:
    return visit.wished_language or reader.language or visit.language
