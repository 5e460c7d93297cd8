"""The admin pages' own style sheet, and the script that keeps them up to date; pages work without it."""

import hashlib
from functools import cache
from http import HTTPStatus
from typing import Final

from jinja2 import Environment
from starlette.responses import Response

from newsletter.operators.service import has_password
from newsletter.render.environment import render_template
from newsletter.web.headers import Nature, compose_headers
from newsletter.web.pages import show_problem
from newsletter.web.visit import Visit

_STYLE: Final = "web/admin/style.css"
_SCRIPT: Final = "web/admin/live.js"
_KEPT: Final = "private, max-age=86400"


def show_style(visit: Visit) -> Response:
    """Return the style sheet."""
    return _show(visit, _STYLE, "text/css")


def show_script(visit: Visit) -> Response:
    """Return the script."""
    return _show(visit, _SCRIPT, "text/javascript")


@cache
def version_of(environment: Environment) -> str:
    """Return what changes with either, so that a browser lets go of an old one."""
    content = "".join(render_template(environment, name, {}) for name in (_STYLE, _SCRIPT))
    return hashlib.blake2b(content.encode(), digest_size=6).hexdigest()


def _show(visit: Visit, name: str, media_type: str) -> Response:
    if not has_password(visit.house.database):
        return show_problem(visit, HTTPStatus.NOT_FOUND)
    content = render_template(visit.house.frame.environment, name, {})
    headers = {**dict(compose_headers(Nature.PRIVATE)), "cache-control": _KEPT}
    return Response(content, media_type=f"{media_type}; charset=utf-8", headers=headers)
