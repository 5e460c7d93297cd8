"""Checks where things are: files that must exist, folders that must be kept apart, hosts that are this machine.

Reads the file system and changes nothing. Wants settings whose paths are absolute.
"""

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path

from newsletter.config.sending import Relay, Smtp
from newsletter.config.settings import Settings

Found = tuple[str, str]
"""A key and what is wrong with it."""


def find_missing(settings: Settings) -> Iterator[Found]:
    """Yield each path that is configured and isn't there."""
    for key, relay in _relays(settings):
        for name, path in (("password_file", relay.password_file), ("ca_file", relay.ca_file)):
            # Path's own tests raise where a folder above may not be entered.
            if path is not None and (os.path.isdir(path) or not os.path.exists(path)):  # noqa: PTH110, PTH112
                yield f"{key}.{name}", f"there is no file {path} that this user can see; make it, or correct the path"
    folder = settings.templates.folder
    if folder is not None and not os.path.isdir(folder):  # noqa: PTH112 - as above
        yield "templates.folder", f"there is no folder {folder} that this user can see; make it, or correct the path"


def find_exposed(settings: Settings, config: Path) -> Iterator[Found]:
    """Yield where the site's folder, which the world reads, meets what the world must not read or overwrite."""
    site = _real(settings.site.folder)
    held = [what for what, path in _private_places(settings, config) if _real(path).is_relative_to(site)]
    if held:
        names = ", ".join(held)
        yield "site.folder", f"holds {names}, which every web visitor could read; give the site its own folder"
    for key, path in (("issues.folder", settings.issues.folder), ("outbox.folder", settings.outbox.folder)):
        real = _real(path)
        if site != real and site.is_relative_to(real):
            yield "site.folder", f"is inside {key} ({path}); give the site its own folder"


def find_open_passwords(settings: Settings) -> Iterator[Found]:
    """Yield each relay whose password would go over a network in the clear. Pure."""
    for key, relay in _relays(settings):
        if relay.tls == "none" and relay.user and relay.host and not is_this_machine(relay.host):
            text = f'is "none", so the password for {relay.host} would go in the clear; write "starttls" or "implicit"'
            yield f"{key}.tls", text


def is_this_machine(host: str) -> bool:
    """Return whether a host's name or address means this machine itself."""
    bare = host.strip("[]").rstrip(".").lower()
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost"


def _private_places(settings: Settings, config: Path) -> Iterator[tuple[str, Path]]:
    url = settings.database.url
    if url.startswith("sqlite:///"):
        yield "the database", Path(url.removeprefix("sqlite:///").partition("?")[0])
    yield "secret.file", settings.secret.file
    yield "the config file", config
    yield "issues.folder", settings.issues.folder
    yield "outbox.folder", settings.outbox.folder
    yield "delivery.journal", settings.delivery.journal
    yield "database.backups", settings.database.backups
    yield "alerts.webhook_secret", settings.alerts.webhook_secret
    optional = {
        "templates.folder": settings.templates.folder,
        "dkim.key_file": settings.dkim.key_file,
        "dkim.ed25519_key_file": settings.dkim.ed25519_key_file,
        **{f"{key}.password_file": relay.password_file for key, relay in _relays(settings)},
    }
    yield from ((what, path) for what, path in optional.items() if path is not None)


def _relays(settings: Settings) -> Iterator[tuple[str, Smtp | Relay]]:
    yield "smtp", settings.smtp
    for at, relay in enumerate(settings.smtp.relays):
        yield f"smtp.relays[{at}]", relay


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
