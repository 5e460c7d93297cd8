"""Publish a newsletter by email and feed from Markdown files in git, and know who got it."""

__version__ = "0.1.0"
