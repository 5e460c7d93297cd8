"""Joining: the form, what is done with it, and the page afterwards, which is the same for everybody.

Anybody may send the form, from anywhere: it has no secret to protect. What keeps programs out is a field that people
don't see, the time since the form was given out, and limits (`audience.reception`). A form without a good stamp, such
as one that stands on another site, is shown again to be sent once more.
"""

from http import HTTPStatus
from math import ceil
from urllib.parse import urlencode

from starlette.responses import Response

from newsletter.audience.joining import ask_to_join
from newsletter.audience.policy_joining import JoinForm, JoinStatus
from newsletter.audience.policy_limits import FormVerdict, judge_form_stamp, make_form_stamp
from newsletter.config import Joining
from newsletter.model.subscriber import Cadence
from newsletter.web.headers import Nature
from newsletter.web.pages import redirect, show_page, show_problem
from newsletter.web.visit import Visit

TRAP = "website"
"""The field that people don't see, and so leave empty."""


def show_join(visit: Visit) -> Response:
    """Show the form."""
    return _show_form(visit)


def take_join(visit: Visit) -> Response:
    """Take the form in."""
    return _take(visit, "form")


def show_done(visit: Visit) -> Response:
    """Say what happens next."""
    return show_page(visit, "join_done.html", path="/join/done")


def show_embedded(visit: Visit) -> Response:
    """Show the form for a frame on another site."""
    return _show_form(visit, embedded=True)


def take_embedded(visit: Visit) -> Response:
    """Take in the form of a frame."""
    return _take(visit, "embed", embedded=True)


def retry_seconds(rules: Joining) -> int:
    """Return how long a client waits who asked too often."""
    return ceil(3600 / rules.per_client_per_hour)


def _take(visit: Visit, source: str, *, embedded: bool = False) -> Response:
    house = visit.house
    if visit.form[TRAP]:
        return _finish(visit, embedded=embedded)
    verdict = judge_form_stamp(house.reception.keys, visit.form["stamp"], visit.now, house.reception.rules)
    if verdict is not FormVerdict.FINE:
        return _show_form(visit, embedded=embedded, again=True)
    origin = visit.origin(source, visit.say(house.settings.joining.wording))
    answer = ask_to_join(house.database, house.reception, _read_form(visit), origin, visit.now)
    if answer.status is JoinStatus.THROTTLED:
        headers = {"retry-after": str(retry_seconds(house.settings.joining))}
        return show_problem(visit, HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
    if answer.status is JoinStatus.INVALID:
        problems = {problem.field: problem.code for problem in answer.problems}
        return _show_form(visit, HTTPStatus.UNPROCESSABLE_ENTITY, embedded=embedded, problems=problems)
    house.ring()
    return _finish(visit, embedded=embedded)


def _finish(visit: Visit, *, embedded: bool) -> Response:
    if embedded:
        return show_page(visit, "embed_done.html", nature=Nature.EMBEDDED)
    language = f"?{urlencode({'lang': visit.wished_language})}" if visit.wished_language else ""
    return redirect(f"{visit.house.root}/join/done{language}")


def _show_form(
    visit: Visit,
    status: int = HTTPStatus.OK,
    *,
    embedded: bool = False,
    again: bool = False,
    problems: dict[str, str] | None = None,
) -> Response:
    house = visit.house
    return show_page(
        visit,
        "embed.html" if embedded else "join.html",
        path="/join",
        status=status,
        nature=Nature.EMBEDDED if embedded else Nature.PAGE,
        stamp=make_form_stamp(house.reception.keys[0], visit.now),
        trap=TRAP,
        wording=visit.say(house.settings.joining.wording),
        filled=_read_form(visit),
        again=again,
        problems=problems or {},
    )


def _read_form(visit: Visit) -> JoinForm:
    form = visit.form
    return JoinForm(
        address=form["address"].strip(),
        name=form["name"],
        topics=frozenset(filter(None, form.all_of("topics"))),
        cadence=parse_cadence(form["cadence"]),
        language=form["language"] or visit.language,
    )


def parse_cadence(text: str) -> Cadence:
    """Return how often somebody wants mail; each issue, if he says nothing that we know."""
    return Cadence(text) if text in list(Cadence) else Cadence.EACH
