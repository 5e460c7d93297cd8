"""The static site as files: `write_site` brings the folder up to date with what is published."""

from newsletter.site.build import SiteReport, make_frame, write_site

__all__ = ["SiteReport", "make_frame", "write_site"]
