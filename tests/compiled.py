"""The built-in templates, compiled once for all tests of a process: that takes longer than what most of them test."""

from functools import cache

from jinja2 import Environment

from newsletter.render.environment import load_environment


@cache
def load_templates() -> Environment:
    """Return the environment that an App without templates of its own makes."""
    return load_environment(None)
