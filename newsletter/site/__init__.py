"""The static site as files: `write_site` brings the folder up to date with what is published."""

from newsletter.site.build import SiteReport, make_frame, write_site
from newsletter.site.pings import load_pings, load_settled_pings, settle_pings

__all__ = ["SiteReport", "load_pings", "load_settled_pings", "make_frame", "settle_pings", "write_site"]
