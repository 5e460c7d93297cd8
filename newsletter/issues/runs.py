"""The Markdown runs of an issue, parsed once for all checks, and the way back from a token to its place in the file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from newsletter.issues.source import clean_source
from newsletter.markup import Token, parse_blocks
from newsletter.model.issue import Issue, Markdown

Place = tuple[int, int]


@dataclass(frozen=True)
class Run:
    """One run: its tokens, and the line (from 1) on which it starts in the file."""

    tokens: Sequence[Token]
    line: int
    file: "File"

    def place(self, token: Token, offset: int = 0) -> Place:
        """Return line and column (from 1) of a character in a token's content; a block token's first line."""
        first = self.line + (token.map[0] if token.map else 0)
        before = token.content[:offset]
        number = first + before.count("\n")
        text, column = token.content.split("\n")[before.count("\n")], offset - (before.rfind("\n") + 1)
        return number, self.file.column(number, text, column)

    @property
    def inlines(self) -> Iterator[Token]:
        """Yield every inline token: a paragraph's, heading's or cell's text with its parsed children."""
        return (token for token in self.tokens if token.type == "inline")


@dataclass(frozen=True)
class File:
    """The file's lines, as they were parsed."""

    source: str

    @cached_property
    def lines(self) -> Sequence[str]:
        """Return the lines of the cleaned text."""
        return clean_source(self.source).split("\n")

    def column(self, number: int, text: str, offset: int = 0) -> int:
        """Return the column at which `text[offset]` stands in a line (from 1); 1 if the text isn't there."""
        line = self.lines[number - 1] if 0 < number <= len(self.lines) else ""
        start = line.find(text)
        if start >= 0:
            return start + offset + 1
        # Reading may have put a backslash in front of a run, so look for what follows.
        return max(line.find(text[offset : offset + 40]), 0) + 1

    def find(self, text: str, first: int, last: int) -> Place:
        """Return where a text stands first in lines `first` to `last`; the start of `first` if nowhere."""
        for number in range(first, min(last, len(self.lines)) + 1):
            column = self.lines[number - 1].find(text)
            if text and column >= 0:
                return number, column + 1
        return first, 1


def read_runs(issue: Issue, file: File) -> list[Run]:
    """Return every run of an issue in reading order."""
    runs = [_run(issue, issue.intro, file)]
    for section in issue.sections:
        runs.append(_run(issue, section.intro, file))
        for entry in section.entries:
            runs.append(_run(issue, entry.lead, file))
            runs += [_run(issue, each.body, file) for each in entry.fields]
    return [run for run in runs if run.tokens]


def read_headings(issue: Issue, file: File) -> list[Run]:
    """Return the headings of sections and entries, each read by itself, in reading order."""
    lines = [line for section in issue.sections for line in (section.line, *(entry.line for entry in section.entries))]
    there = [line for line in lines if 0 < line <= len(file.lines)]
    return [_run(issue, Markdown(file.lines[line - 1], line), file) for line in there]


def _run(issue: Issue, markdown: Markdown, file: File) -> Run:
    tokens = parse_blocks(markdown.source, issue.references)[0] if markdown else []
    return Run(tokens, markdown.line, file)
