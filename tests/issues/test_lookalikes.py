# ruff: noqa: E501 - in a table of messages, one case a line reads best
import pytest

from tests.issues.conftest import ENTRY, Read

P = "issues/2024-05-25.md"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "Text.\n\n```py\nx\n",
            f"{P}:11:1: error: This code block never ends, so everything below it is code. End it with a line ```. [unclosed-code]",
        ),
        (
            "Text.\n\n<!-- x\n",
            f"{P}:11:1: error: This comment never ends, so everything below it is left out. End it with -->. [unclosed-comment]",
        ),
        (
            "<div>\n### [T](https://x.org)\n</div>\n",
            f"{P}:10:1: warning: This line belongs to raw HTML, so it is shown as it is written. Put an empty line above it. [structure-in-block]",
        ),
        (
            "Text.\n\n    **Why?** x\n",
            f"{P}:11:1: warning: This line belongs to indented code, so it is shown as it is written. Remove the spaces or the tab before it. [structure-in-block]",
        ),
        (
            "Text.\n\n\t### [T](https://x.org)\n",
            f"{P}:11:1: warning: This line belongs to indented code, so it is shown as it is written. Remove the spaces or the tab before it. [structure-in-block]",
        ),
        (
            "**Results** | a\n--- | ---\n1 | 2\n",
            f"{P}:9:1: error: The label Results is part of a table here. Put an empty line between label and table. [label-in-table]",
        ),
        (
            "Text.\n\n###[T](https://x.org)\n",
            f"{P}:11:1: error: '###[T](https://x.org)' is no heading: a space is missing. Write ### [T](https://x.org) [heading-space]",
        ),
        (
            "Text.\n\n#### Why?\n",
            f"{P}:11:1: warning: This looks like the label Why?, but a label is bold at the start of a paragraph. Write **Why?** and the text after it. [unknown-label]",
        ),
    ],
)
def test_what_only_looks_like_structure_is_explained(read: Read, body: str, message: str) -> None:
    assert list(map(str, read(ENTRY + body).problems)) == [message]


@pytest.mark.parametrize(
    "body",
    [
        "```\nx\n```\n",
        "````\n```\n````\n",
        "~~~\nx\n~~~~\n",
        "<!-- ## x -->\n",
        "<div>\nx\n</div>\n",
        "Text.\n\n    code\n",
        "| a |\n|--|\n| **Why?** |\n",
        "#hashtag is no heading\n",
        "- ```\n  x\n  ```\n",
        "#### Setup\n",
    ],
)
def test_ordinary_markdown_is_left_alone(read: Read, body: str) -> None:
    assert read(ENTRY + "Text.\n\n" + body).problems == ()
