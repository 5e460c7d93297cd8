"""Short ways to read and check an issue, and text that is likely to break a reader."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Protocol

import hypothesis
import pytest

from newsletter.config import Issues
from newsletter.issues.check import EarlierWork, check_issue
from newsletter.issues.parse import Parsed, parse_issue
from newsletter.model.issue import Entry, Issue
from newsletter.model.problem import Problem

# The first example pays for loading tables, and a busy machine is no failure.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

HEAD = "---\ntitle: Title\ndate: 2024-05-25\n---\n"
ENTRY = "## Papers\n\n### [Paper](https://arxiv.org/abs/2405.00001v1)\n\n"


class Read(Protocol):
    """Parse a body below a small front matter, so that it starts on line 5."""

    def __call__(self, body: str, *, head: str = ..., path: str = ...) -> Parsed: ...


class Check(Protocol):
    """Parse a body and return the problems that checking adds."""

    def __call__(
        self,
        body: str,
        *,
        head: str = ...,
        path: str = ...,
        rules: Issues = ...,
        earlier: Mapping[str, EarlierWork] = ...,
    ) -> list[Problem]: ...


@pytest.fixture
def read() -> Read:
    """Read a body."""

    def run(body: str, *, head: str = HEAD, path: str = "issues/2024-05-25.md") -> Parsed:
        return parse_issue(head + body, path, labels=Issues().labels)

    return run


@pytest.fixture
def entry(read: Read) -> Callable[[str], Entry]:
    """Read the body of one entry that is otherwise in order; the body starts on line 9."""

    def run(body: str) -> Entry:
        parsed = read(ENTRY + body)
        assert parsed.issue is not None
        (only,) = parsed.issue.entries
        return only

    return run


@pytest.fixture
def check(read: Read) -> Check:
    """Check a body."""

    def run(
        body: str,
        *,
        head: str = HEAD,
        path: str = "issues/2024-05-25.md",
        rules: Issues = Issues(),  # noqa: B008 - frozen
        earlier: Mapping[str, EarlierWork] = {},
    ) -> list[Problem]:
        parsed = read(body, head=head, path=path)
        assert parsed.issue is not None
        return list(check_issue(parsed.issue, rules, earlier))

    return run


@pytest.fixture
def check_entry(check: Check) -> Callable[[str], list[Problem]]:
    """Check the body of one entry that is otherwise in order; the body starts on line 9."""
    return lambda body: check(ENTRY + body)


@pytest.fixture
def plain_issue() -> Issue:
    """An issue made by hand, without a file behind it."""
    return Issue(path="issues/2024-05-25.md", slug="2024-05-25", date=date(2024, 5, 25), title="Title", source="")
