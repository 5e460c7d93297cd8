"""Which WebSub hubs are still to be told of which feeds: `.build.hubs` in the site's folder.

Owns that no change of a feed is forgotten: a build notes what it is about to change before it does, and a note goes
only when the hub has been told of that change. **Limit.** A hub may be told of a feed that didn't change after all.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from newsletter.model.ping import Ping
from newsletter.site.files import lock_folder, read_own, remove_own, write_own

HUBS_NAME = ".build.hubs"


def parse_pings(source: bytes) -> list[Ping]:
    """Return what was noted; nothing if it can't be read."""
    try:
        raw = json.loads(source)
        return [Ping(str(hub), str(topic), str(version)) for hub, topic, version in raw]
    except (ValueError, TypeError, RecursionError):
        return []


def render_pings(pings: Iterable[Ping]) -> bytes:
    """Return the notes as JSON."""
    return json.dumps([list(ping) for ping in pings]).encode()


def add_pings(pings: Iterable[Ping], hubs: Iterable[str], versions: Mapping[str, str]) -> list[Ping]:
    """Return the notes with each hub's about these feeds (address -> version); a newer change goes before an older."""
    known = {(ping.hub, ping.topic): ping for ping in pings}
    known |= {(hub, topic): Ping(hub, topic, version) for hub in hubs for topic, version in versions.items()}
    return sorted(known.values())


def load_pings(folder: Path, hubs: Collection[str]) -> list[Ping]:
    """Return what these hubs are still to be told."""
    return [ping for ping in parse_pings(read_own(folder, HUBS_NAME) or b"") if ping.hub in hubs]


def load_settled_pings(folder: Path, hubs: Collection[str]) -> list[Ping]:
    """Return what hubs are to be told of feeds that are in place; waits for a build that is under way.

    Raises NewsletterError when that takes too long.
    """
    if not load_pings(folder, hubs):
        return []
    with lock_folder(folder):
        return load_pings(folder, hubs)


def note_pings(folder: Path, hubs: Collection[str], versions: Mapping[str, str]) -> None:
    """Note that these feeds are about to change; for the build that holds the folder. Other hubs' notes go."""
    if hubs and versions:
        write_own(folder, HUBS_NAME, render_pings(add_pings(load_pings(folder, hubs), hubs, versions)))
    elif not hubs:
        remove_own(folder, HUBS_NAME)


def settle_pings(folder: Path, told: Collection[Ping]) -> None:
    """Cross out what hubs were told. A change that a build has noted since stays. Raises NewsletterError."""
    if not told:
        return
    with lock_folder(folder):
        left = [ping for ping in parse_pings(read_own(folder, HUBS_NAME) or b"") if ping not in told]
        if left:
            write_own(folder, HUBS_NAME, render_pings(left))
        else:
            remove_own(folder, HUBS_NAME)
