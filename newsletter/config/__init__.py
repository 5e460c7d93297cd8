"""Settings: a TOML file read into frozen values, with every problem reported at once by its key.

Owns what can be configured, the defaults, and what a setting means; `config.example.toml` is rendered from here.
Refuses unknown keys. Paths in a config are relative to the folder the config stands in.
"""

from newsletter.config.example import render_config
from newsletter.config.incoming import Bounces
from newsletter.config.joining import Joining
from newsletter.config.load import DEFAULT_NAME, load_publication, load_publications, load_settings, parse_settings
from newsletter.config.pasting import name_config
from newsletter.config.schedule import Alerts, Backup, Log, Rollups, Schedule, Serve
from newsletter.config.sending import DomainPace, Pace, Relay, Smtp
from newsletter.config.serving import Web
from newsletter.config.settings import (
    DatabaseSettings,
    Delivery,
    Dkim,
    Issues,
    Mail,
    Outbox,
    Publication,
    Secret,
    Settings,
    Site,
    Templates,
)

__all__ = [
    "DEFAULT_NAME",
    "Alerts",
    "Backup",
    "Bounces",
    "DatabaseSettings",
    "Delivery",
    "Dkim",
    "DomainPace",
    "Issues",
    "Joining",
    "Log",
    "Mail",
    "Outbox",
    "Pace",
    "Publication",
    "Relay",
    "Rollups",
    "Schedule",
    "Secret",
    "Serve",
    "Settings",
    "Site",
    "Smtp",
    "Templates",
    "Web",
    "load_publication",
    "load_publications",
    "load_settings",
    "name_config",
    "parse_settings",
    "render_config",
]
