"""Who runs the publication, as the admin pages know him: by a session in a browser that showed the password."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in; `digest` is the SHA-256 (hex) of its secret."""

    id: int
    digest: str
    opened_at: datetime
