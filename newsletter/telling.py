"""Tells WebSub hubs what the last build of the site changed, and what earlier rounds couldn't tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from newsletter.config import Settings
from newsletter.errors import NewsletterError
from newsletter.hubs import ping_hubs
from newsletter.model.ping import Ping
from newsletter.site import load_pings, load_settled_pings, settle_pings


@dataclass(frozen=True, slots=True)
class Untold:
    """A hub, by its host, that is still to be told of so many feeds, and why it wasn't."""

    hub: str
    feeds: int
    reason: str


def tell_hubs(settings: Settings) -> Callable[[], tuple[Untold, ...]]:
    """Begin to tell the configured hubs; return what waits for the end of it and says which ones weren't reached.

    What was told is crossed out, the rest is tried again in the next round. Nothing is lost when nobody waits: then
    hubs are told once more. That a hub isn't reached is no reason to fail.
    """
    return _tell(settings.site.folder, load_pings(settings.site.folder, settings.site.hub))


def retell_hubs(settings: Settings) -> tuple[Untold, ...]:
    """Tell the configured hubs what earlier rounds couldn't tell them, and return which ones weren't reached.

    May be done at any time, by anybody: no hub is told of a feed that a build is only about to change. Raises
    NewsletterError when a build takes too long.
    """
    return _tell(settings.site.folder, load_settled_pings(settings.site.folder, settings.site.hub))()


def _tell(folder: Path, pings: Sequence[Ping]) -> Callable[[], tuple[Untold, ...]]:
    finish = ping_hubs(pings)

    def settle() -> tuple[Untold, ...]:
        told = finish()
        failed = dict(told.failed)
        try:
            settle_pings(folder, told.done)
        except NewsletterError as error:
            failed |= {ping.hub: f"it was told, but that can't be noted: {error}" for ping in told.done}
        left = [ping.hub for ping in pings if ping not in told.done]
        return tuple(Untold(urlsplit(hub).hostname or hub, left.count(hub), reason) for hub, reason in failed.items())

    return settle
