"""What a WebSub hub is to be told: that a feed changed."""

from typing import NamedTuple


class Ping(NamedTuple):
    """A hub and the feed, by their addresses; `version` is another one for every change of the feed."""

    hub: str
    topic: str
    version: str
