"""Checks what an issue's text says and how it is built: placeholders, footnotes, headings, nesting, raw HTML."""

import re

from newsletter.issues.check_links import html_offset, mask, mask_unseen
from newsletter.issues.findings import Findings
from newsletter.issues.runs import File, Place, Run
from newsletter.markup import MAX_NESTING, Token
from newsletter.model.issue import Issue
from newsletter.sanitise import check_html

PLACEHOLDER = re.compile(r"(?<![\w-])(?:TK(?:TK)*|TODO|FIXME|XXX|(?i:lorem ipsum))(?![\w-])")
PARTS = re.compile(r"[/?=&]")
"""What keeps the words of an address apart."""

_FOOTNOTE = re.compile(r"(?<![\\!])\[\^(?!\w-\w\])[\w-]+\](?!\()")
"""`[^1]`, whether it is text here or, its line below being an address, a link; `[^a-z]` is a regular expression's."""

_LITERAL = frozenset({"code_inline", "html_inline"})

_LAST_STRUCTURAL = 3
"""Headings up to this level are title, sections and entries; whatever a run stands below, its own start deeper."""

_NEAR_LIMIT = MAX_NESTING - 10
_HEADING = {f"h{level}": level for level in range(1, 7)}


def check_run_text(run: Run, findings: Findings) -> None:
    """Note placeholders, heading jumps, text nested too deep, and raw HTML that readers won't get."""
    _check_headings(run, findings)
    _check_nesting(run, findings)
    for token in run.tokens:
        if token.type == "html_block":
            _check_raw(token.content, run, token, 0, findings)
    for inline in run.inlines:
        for child in inline.children or []:
            if child.type == "html_inline":
                _check_raw(child.content, run, inline, child.meta["at"][0], findings)
        _check_placeholders(run, inline, findings)


def check_run_footnotes(run: Run, findings: Findings) -> None:
    """Note footnotes, which the dialect doesn't have, each where it is first met."""
    noted = set[str]()
    for inline in run.inlines:
        for match in _FOOTNOTE.finditer(mask(inline, _LITERAL)) if "[^" in inline.content else ():
            if match[0] not in noted:
                message = f"There are no footnotes here: readers see {match[0]} as it stands."
                hint = "Say it in the sentence, in parentheses or behind a link. In backticks it counts as text."
                findings.warning(run.place(inline, match.start()), "footnote", message, hint)
            noted.add(match[0])


def check_titles(issue: Issue, file: File, findings: Findings) -> None:
    """Note placeholders in the front matter, in headings, and in what entries say about themselves."""
    for key, text in (("title", issue.title), ("subtitle", issue.subtitle), ("authors", " ".join(issue.authors))):
        _note_placeholder(text, issue.lines.get(key, 1), file, findings)
    for section in issue.sections:
        _note_placeholder(section.title, section.line, file, findings)
        for entry in section.entries:
            _note_placeholder(f"{entry.title} {PARTS.sub(' ', entry.url)}", entry.line, file, findings)
            for author in entry.authors:
                if match := PLACEHOLDER.search(author):
                    _placeholder(match[0], file.find(author, entry.line + 1, len(file.lines)), findings)


def _note_placeholder(text: str, line: int, file: File, findings: Findings) -> None:
    for word in dict.fromkeys(PLACEHOLDER.findall(text)):
        _placeholder(word, file.find(word, line, line), findings)


def _placeholder(word: str, place: Place, findings: Findings) -> None:
    findings.error(
        place,
        "placeholder",
        f"{word} is a placeholder.",
        f"Write what is meant. In backticks (`{word}`) it counts as text.",
    )


def _check_placeholders(run: Run, inline: Token, findings: Findings) -> None:
    if not PLACEHOLDER.search(inline.content):
        return
    for match in PLACEHOLDER.finditer(mask_unseen(inline)):
        _placeholder(match[0], run.place(inline, match.start()), findings)


def _check_headings(run: Run, findings: Findings) -> None:
    """Hold headings to what is free for them: level 4 and below, one step at a time."""
    before = _LAST_STRUCTURAL
    for token in run.tokens:
        level = _HEADING.get(token.tag, 0) if token.type == "heading_open" else 0
        # At the top level, reading the structure has already said so.
        if not level or (token.level == 0 and (level < 2 or not token.markup.startswith("#"))):
            continue
        line = run.place(token)[0]
        place = run.file.find("#", line, line)
        if level <= _LAST_STRUCTURAL:
            message = f"A heading of level {level} within a list or quote: levels 1 to 3 are the issue's own."
            findings.warning(place, "heading-level", message, "Use #### or bold text.")
        elif level > before + 1:
            message = f"The heading jumps from level {before} to {level}; who listens to it thinks one is missing."
            findings.warning(place, "heading-jump", message, f"Use {'#' * (before + 1)}.")
        before = max(level, _LAST_STRUCTURAL)


def _check_nesting(run: Run, findings: Findings) -> None:
    deep = next((token for token in run.tokens if token.level >= _NEAR_LIMIT and token.map), None)
    if deep:
        message = f"Lists and quotes are nested {deep.level} deep here; text below {MAX_NESTING} would be lost."
        findings.error(run.place(deep), "deep-nesting", message, "Nest less.")


def _check_raw(html: str, run: Run, token: Token, start: int, findings: Findings) -> None:
    """Note what sanitising drops from raw HTML that stands at `start` in a token's content."""
    for dropped in check_html(html):
        where = run.place(token, start + html_offset(html, dropped.line, dropped.column - 1))
        if dropped.loses_text:
            message = f"No reader gets {dropped.what}: it is dropped from mail, pages and feeds."
            findings.error(where, "raw-html", message, "Remove it, or link to a page that has it.")
        else:
            message = f"No reader gets {dropped.what}; the text in it stays."
            findings.warning(where, "raw-html", message, "Use Markdown, or remove it.")
