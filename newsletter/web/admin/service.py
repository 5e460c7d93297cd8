"""Which address of the admin pages leads to which action; every one but the way in goes through the door."""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.responses import Response

from newsletter.web.admin import assets, editions, figures, overview, schedule, signing
from newsletter.web.admin.door import ADMIN, admit
from newsletter.web.visit import Visit

ADMIN_ACTIONS: Final[Mapping[str, Mapping[str, Callable[[Visit], Response]]]] = {
    f"{ADMIN}/sign-in": {"GET": signing.show_sign_in, "POST": signing.take_sign_in},
    f"{ADMIN}/style.css": {"GET": assets.show_style},
    f"{ADMIN}/live.js": {"GET": assets.show_script},
    f"{ADMIN}/sign-out": {"POST": admit(signing.take_sign_out)},
    ADMIN: {"GET": admit(overview.show_overview)},
    f"{ADMIN}/": {"GET": admit(overview.show_overview)},
    f"{ADMIN}/live": {"GET": admit(overview.show_live)},
    f"{ADMIN}/editions": {"GET": admit(editions.show_editions)},
    f"{ADMIN}/editions/{{slug}}": {"GET": admit(editions.show_edition), "POST": admit(editions.take_order)},
    f"{ADMIN}/editions/{{slug}}/mail": {"GET": admit(editions.show_edition_mail)},
    f"{ADMIN}/editions/{{slug}}/text": {"GET": admit(editions.show_edition_text)},
    f"{ADMIN}/schedule": {"GET": admit(schedule.show_schedule), "POST": admit(schedule.take_slot_order)},
    f"{ADMIN}/issues/{{slug}}": {"GET": admit(schedule.show_issue)},
    f"{ADMIN}/issues/{{slug}}/mail": {"GET": admit(schedule.show_issue_mail)},
    f"{ADMIN}/issues/{{slug}}/text": {"GET": admit(schedule.show_issue_text)},
    f"{ADMIN}/readers": {"GET": admit(figures.show_readers)},
    f"{ADMIN}/bounces": {"GET": admit(figures.show_bounces)},
}
"""What each address answers, by method."""
