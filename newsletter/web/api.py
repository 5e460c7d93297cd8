"""Joining for programs: JSON in, JSON out, for a form that a site builds itself.

The answer to a wish that can be understood is the same whether the address is known or not. Without a form there is
nothing that tells people from programs, so limits are all there is: the owner of the address is asked in any case.
"""

from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from newsletter.audience.joining import ask_to_join
from newsletter.audience.policy_joining import JoinForm, JoinStatus
from newsletter.model.subscriber import Cadence
from newsletter.web.join import retry_seconds
from newsletter.web.openapi import compose_openapi
from newsletter.web.pages import show_json, show_json_problem
from newsletter.web.visit import Visit

JSON_TYPE = "application/json"


class JoinWish(BaseModel):
    """What somebody who wants to read asks for."""

    model_config = ConfigDict(extra="forbid", title="JoinWish")

    address: Annotated[str, Field(min_length=3, max_length=320, description="The mail address.")]
    name: Annotated[str, Field("", max_length=200, description="A name, if the reader wants to be called by one.")]
    topics: Annotated[
        list[Annotated[str, Field(max_length=60)]],
        Field(default_factory=list, max_length=100, description="Keys of the sections to read; none means all."),
    ]
    cadence: Annotated[Cadence, Field(Cadence.EACH, description="Each issue, or what a week or a month brought.")]
    language: Annotated[str, Field("", max_length=35, description="A language tag such as `de`; none: the visit's.")]


def take_wish(visit: Visit) -> Response:
    """Take in a wish to read."""
    if visit.content_type.partition(";")[0].strip().lower() != JSON_TYPE:
        return show_json_problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send {JSON_TYPE}.", {"accept-post": JSON_TYPE})
    try:
        wish = JoinWish.model_validate_json(visit.body)
    except ValidationError as error:
        return _refuse(error)
    house = visit.house
    form = JoinForm(
        wish.address.strip(), wish.name, frozenset(wish.topics), wish.cadence, wish.language or visit.language
    )
    origin = visit.origin("api", visit.say(house.settings.joining.wording))
    answer = ask_to_join(house.database, house.reception, form, origin, visit.now)
    if answer.status is JoinStatus.THROTTLED:
        wait = str(retry_seconds(house.settings.joining))
        return show_json_problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many wishes.", {"retry-after": wait})
    if answer.status is JoinStatus.INVALID:
        errors = [{"field": one.field, "code": one.code, "message": one.message} for one in answer.problems]
        return show_json_problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are wrong.", errors=errors)
    house.ring()
    text = "If this address doesn't read yet, a mail is on its way to it with a link to confirm."
    return show_json({"status": "accepted", "message": text}, HTTPStatus.ACCEPTED)


def show_openapi(visit: Visit) -> Response:
    """Describe the endpoints for programs."""
    house = visit.house
    wish = JoinWish.model_json_schema()
    wish["$defs"]["Cadence"]["enum"] = list(house.reception.offer.cadences)
    document = compose_openapi(house.settings.publication.title, house.settings.publication.url, wish)
    return show_json(document, headers={"cache-control": "public, max-age=3600"})


def allow_other_sites(_visit: Visit) -> Response:
    """Answer a browser that asks whether a script of another site may ask us; there is no cookie to abuse."""
    headers = {
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "content-type",
        "access-control-max-age": "86400",
    }
    answer = show_json(None, headers=headers)
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={**dict(answer.headers.items()), "content-length": "0"})


def _refuse(error: ValidationError) -> Response:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if any(problem["type"] == "json_invalid" for problem in problems):
        return show_json_problem(HTTPStatus.BAD_REQUEST, "This is not JSON.")
    errors = [
        {"field": ".".join(map(str, problem["loc"])), "code": problem["type"], "message": problem["msg"]}
        for problem in problems
    ]
    return show_json_problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are wrong.", errors=errors)
