"""The exceptions that people see.

NewsletterError                exit 1: the thing asked for failed
├── UsageError                 exit 2: the command line or the config is wrong
│   └── ConfigError            every problem of the config at once, each with its key
├── IssueError                 an issue file has problems; carries them all
├── NotFoundError              no such issue, edition or subscriber
├── ChangedError               a published issue's file has changed since; carries the diff
├── StoreError                 the database can't be opened, read or written
│   └── StoreAddressError      exit 2: the config's address of a database is none
└── TransportError             mail can't be handed over at all; nobody is blamed for it

A message is one or more whole sentences for the person at the keyboard: what is wrong, where, and the way out.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from newsletter.model.problem import Problem


class NewsletterError(Exception):
    """Stop the command with one clear message and exit code 1."""

    exit_code = 1


class UsageError(NewsletterError):
    """Stop the command because it was asked wrongly; exit code 2."""

    exit_code = 2


class ConfigError(UsageError):
    """Report every problem found in a config at once.

    `problems` holds pairs of key (`smtp.port`) and message.
    """

    def __init__(self, path: str, problems: Sequence[tuple[str, str]]) -> None:
        self.path = path
        self.problems = tuple(problems)
        lines = [f"{path}: {key}: {message}" if key else f"{path}: {message}" for key, message in self.problems]
        super().__init__("\n".join(lines))


class IssueError(NewsletterError):
    """Stop a publish because the issue has errors; `problems` holds all of them, warnings too."""

    def __init__(self, problems: Sequence["Problem"]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotFoundError(NewsletterError):
    """Say what was looked for, where, and what there is instead."""


class ChangedError(NewsletterError):
    """Refuse to publish an issue again whose file has changed since it was published."""

    def __init__(self, message: str, diff: str) -> None:
        self.diff = diff
        super().__init__(message)


class StoreError(NewsletterError):
    """Say that the database refused, and what to do about it."""


class StoreAddressError(StoreError):
    """Say that [database] url is no address of a database; exit code 2."""

    exit_code = UsageError.exit_code


class TransportError(NewsletterError):
    """Say that no mail can be handed over: a fault about us, never about a reader."""
