# ruff: noqa: E501 - in a table of messages, one case a line reads best
"""Every problem that reading an issue can find: message, place, code and way out."""

import pytest

from tests.issues.conftest import Read

P = "issues/2024-05-25.md"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "### [T](https://x.org)\n\nx\n",
            f"{P}:5:1: error: This entry stands before the first section. Put a heading `## Section` above it. [entry-outside-section]",
        ),
        (
            "# Title\n",
            f"{P}:5:1: error: 'Title' is a heading of level 1: the title belongs in the front matter. Delete it if it repeats the title; write ## for a section. [title-heading]",
        ),
        (
            "Text\n---\n",
            f"{P}:6:1: error: The line of --- turns 'Text' into a heading. Put an empty line above it if it is a rule; write a section's heading as `## Title`. [setext-heading]",
        ),
        (
            "Text\n===\n",
            f"{P}:6:1: error: The line of === turns 'Text' into a heading. Put an empty line above it if it is a rule; write a section's heading as `## Title`. [setext-heading]",
        ),
        (
            "##\n",
            f"{P}:5:1: error: Section heading without a title. Write its title after the number signs. [empty-heading]",
        ),
        (
            "## S\n### [](https://x.org)\n",
            f"{P}:6:1: error: Entry heading without a title. Write `### [Title](https://…)`. [empty-heading]",
        ),
        (
            "## S\n### [T](https://x.org) more\n",
            f"{P}:6:1: warning: The heading is more than its link: 'more' stands outside. Write the whole title in the brackets: ### [Title](https://…) [heading-links]",
        ),
        (
            "## S\n### [T](https://x.org) [U](https://y.org)\n",
            f"{P}:6:1: warning: The heading holds several links; only the first counts as the entry's. Keep one, and move the others into the text. [heading-links]",
        ),
        (
            "## S {#Big One}\n",
            f"{P}:5:1: error: 'Big One' can't be an anchor: it takes lower-case letters, digits, dots and hyphens, at most 100. Write {{#big-one}}. [bad-anchor]",
        ),
        (
            "## S {#a}\n## T {#a}\n",
            f"{P}:6:1: error: The anchor a is given twice; the first is on line 5. Give one of them another name. [duplicate-anchor]",
        ),
        (
            "**Why?** x\n",
            f"{P}:5:1: warning: The label Why? belongs to no entry here, so it is shown as bold text. An entry starts with a heading `### [Title](https://…)`. [label-outside-entry]",
        ),
        (
            "## S\n### T\n**Why?** x\n\n**why** y\n",
            f"{P}:9:1: error: The entry has Why? twice; the first is on line 7. Join the two under one label. [duplicate-label]",
        ),
        (
            "## S\n### T\nx\n\n**Code** <https://x.org>\n**Code** <https://y.org>\n",
            f"{P}:10:1: error: The entry has Code twice; the first is on line 9. Keep one. [duplicate-label]",
        ),
        (
            "## S\n### T\n**Why?**\n\n**How?** y\n",
            f"{P}:7:1: warning: Why? has no text. Write it, or delete the label: a label may be missing. [empty-field]",
        ),
        (
            "## S\n### T\n**Authors**\n\nx\n",
            f"{P}:7:1: warning: Authors has no text. Write it, or delete the line. [empty-field]",
        ),
        (
            "## S\n### T\n**Code** generation is hard.\n",
            f"{P}:7:1: warning: The label Code is followed by no link, so the line stays part of the text. Write **Code** <https://…>, or don't start with a bold Code. [code-without-link]",
        ),
        (
            "## S\n### T\n**Code** <https://x.org> and <https://y.org>\n",
            f"{P}:7:1: warning: Code holds 2 links; only the first is shown. Keep one, and move the others into the text. [code-links]",
        ),
        (
            "## S\n### T\n**Identifier** none yet\n",
            f"{P}:7:16: error: 'none yet' is no identifier. Write arxiv:2405.16325v1, doi:10.1145/3442188 or https://…. [bad-identifier]",
        ),
        (
            "a\0b\n",
            f"{P}:5:2: error: This line holds an invisible character (NUL) that mail and feeds can't carry. Delete it; it often comes along when text is pasted. [control-character]",
        ),
        (
            "a\u2028b\n",
            f"{P}:5:2: error: This line holds an invisible character (U+2028) that mail and feeds can't carry. Delete it; it often comes along when text is pasted. [control-character]",
        ),
    ],
)
def test_a_problem_is_said_with_its_place_and_the_way_out(read: Read, body: str, message: str) -> None:
    parsed = read(body)
    assert list(map(str, parsed.problems)) == [message]
    assert parsed.issue is not None


def test_every_problem_is_reported_at_once(read: Read) -> None:
    parsed = read("# T\n\n##Bad\n\n## S {#X}\n\n### []()\n", head="---\ntitel: x\ndate: 1\n---\n")
    codes = [problem.code for problem in parsed.problems]
    assert codes == [
        "missing-title",
        "unknown-key",
        "bad-date",
        "title-heading",
        "heading-space",
        "bad-anchor",
        "empty-heading",
    ]
