"""What `newsletter new` writes: an issue file in which `newsletter check` points at everything to be filled in."""

import json
from datetime import date

from newsletter.config import Issues

_HELP = """\
<!--
TK marks what is still to come: `newsletter check {day}` lists every place.
An entry starts with a heading that is a link. Copy the one above for the next, and leave out
any line you don't need. **Code** <https://…> adds a link to code; **Identifier** doi:10.1145/3442188
names a work whose link leads elsewhere. Comments like this one reach no reader.
-->
"""


def compose_new_issue(rules: Issues, day: date, publication_title: str) -> str:
    """Return the text of a new issue file: front matter, the fixed sections or one to name, and one example entry."""
    sections = rules.sections or ("TK: the first section",)
    parts = [
        _front_matter(rules, day, publication_title),
        "TK: a few words that open the issue, or nothing.\n",
        f"## {sections[0]}\n",
        _entry(rules),
        _HELP.format(day=day),
        *(f"## {section}\n" for section in sections[1:]),
    ]
    return "\n".join(parts)


def _front_matter(rules: Issues, day: date, publication_title: str) -> str:
    # JSON's strings are YAML's double-quoted strings, whatever the publication is called.
    title = json.dumps(f"{publication_title}, {day.day} {day:%B %Y}: TK", ensure_ascii=False)
    lines = ["---", f"title: {title}", "subtitle: TK", f"date: {day}"]
    if rules.topics:
        lines.append(f"topics: []  # any of: {', '.join(rules.topics)}")
    return "\n".join([*lines, "---", ""])


def _entry(rules: Issues) -> str:
    lines = ["### [TK: the title](https://arxiv.org/abs/TK)", "**Authors** TK"]
    return "\n\n".join([*lines, *(f"**{label}** TK" for label in rules.labels)]) + "\n"
