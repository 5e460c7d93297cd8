"""A systemd unit that runs `newsletter serve`, made from the settings. Pure.

Owns what the service may touch: it reads everything, and writes only where the settings say that something of ours is.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from newsletter.config import Settings

START_SECONDS: Final = 300
"""For a migration of the database, or the index of a long archive, at the first start after an upgrade."""

_MARGIN: Final = 60
_SQLITE: Final = "sqlite:///"

_UNIT: Final = """\
# `newsletter serve` under systemd, made from your settings. As root:
#   useradd --system newsletter && chown -R newsletter {owned}
#   {program} --config {config} serve --print-systemd > /etc/systemd/system/newsletter.service
#   systemctl daemon-reload && systemctl enable --now newsletter
# Passwords and NEWSLETTER_DATABASE_URL may stand in /etc/newsletter.env, as NAME=VALUE; keep it for root alone.
[Unit]
Description=Newsletter: {titles}
Wants=network-online.target
After=network-online.target postgresql.service

[Service]
Type=notify
NotifyAccess={access}
{watchdog}
User=newsletter
WorkingDirectory={folder}
EnvironmentFile=-/etc/newsletter.env
ExecStart={program} --config {config} serve
Restart=always
RestartSec=5
TimeoutStartSec={start}
# What is on the wire is finished first ([delivery] drain_seconds).
TimeoutStopSec={stop}
KillMode=mixed
LimitNOFILE=65536

# It may write there, and nowhere else.
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
{writable}
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""

_WATCHED: Final = """\
# Every half minute it says that it is alive; when it falls silent, it is started anew.
WatchdogSec=60"""
_UNWATCHED: Final = (
    "# With [web] workers above 1 nobody can say for all of them that they are well: there is no watchdog."
)


def compose_unit(program: Path, config: Path, publications: Sequence[Settings]) -> str:
    """Return the unit for the publications of a config; every path must be absolute."""
    alone = publications[0].web.workers == 1
    writable = find_writable(config, publications)
    return _UNIT.format(
        titles=", ".join(settings.publication.title for settings in publications).replace("%", "%%"),
        owned=" ".join(map(str, writable)),
        access="main" if alone else "all",
        watchdog=_WATCHED if alone else _UNWATCHED,
        folder=str(config.parent).replace("%", "%%"),
        program=quote_word(program),
        config=quote_word(config),
        start=START_SECONDS,
        stop=round(max(settings.delivery.drain_seconds for settings in publications)) + _MARGIN,
        writable="\n".join(f"ReadWritePaths=-{quote_path(path)}" for path in writable),
    )


def find_writable(config: Path, publications: Iterable[Settings]) -> list[Path]:
    """Return the folders that a service must write to; none stands in another."""
    places = {config.parent}.union(*(_list_places(settings) for settings in publications))
    return sorted(place for place in places if not places.intersection(place.parents))


def _list_places(settings: Settings) -> Iterator[Path]:
    """Yield the folder of everything that is made or changed while it runs."""
    yield from (settings.site.folder, settings.outbox.folder, settings.delivery.journal)
    yield settings.secret.file.parent
    if settings.database.url.startswith(_SQLITE):
        yield Path(settings.database.url.removeprefix(_SQLITE).partition("?")[0]).parent
        yield settings.database.backups
    if settings.alerts.webhook:
        yield settings.alerts.webhook_secret.parent
    if settings.bounces.maildir:
        yield settings.bounces.maildir
    if settings.web.socket:
        yield settings.web.socket.parent


def quote_word(path: Path) -> str:
    """Return a path as one word of a command line (systemd.service(5), COMMAND LINES)."""
    return quote_path(path).replace("$", "$$")


def quote_path(path: Path) -> str:
    """Return a path as one word of a list: quoted, and without specifiers (systemd.syntax(7))."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if set(text) & set(" \t'\"\\;") else text
