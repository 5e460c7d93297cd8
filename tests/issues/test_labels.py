# ruff: noqa: E501 - in a table of messages, one case a line reads best
import pytest

from newsletter.issues.findings import Findings
from newsletter.issues.labels import find_labels, known_labels, nearest_label, normalise_label

KNOWN = known_labels(("Why?", "How?", "Results", "Why it matters"))


def names(paragraph: str) -> list[tuple[str, int, int]]:
    lines = paragraph.split("\n")
    return [(label.name, label.line, label.column) for label in find_labels(lines, 0, len(lines), KNOWN, Findings("f"))]


def warnings(paragraph: str) -> list[str]:
    findings, lines = Findings("f"), paragraph.split("\n")
    find_labels(lines, 0, len(lines), KNOWN, findings)
    return [str(problem) for problem in findings.problems]


@pytest.mark.parametrize(
    "spelling",
    [
        "**Why?**",
        "**Why**",
        "**why?**",
        "**WHY:**",
        "**Why?:**",
        "**Why**:",
        "**Why.**",
        "__Why?__",
        "**Why?**:",
        "   **Why?**",
    ],
)
def test_a_label_may_be_spelt_in_many_ways(spelling: str) -> None:
    assert names(f"{spelling} Because.") == [("Why?", 0, len(spelling) + 1)]


def test_a_label_may_have_several_words() -> None:
    assert names("**Why it  matters:** x") == [("Why it matters", 0, 21)]


def test_labels_may_share_a_paragraph_one_a_line() -> None:
    assert [name for name, _, _ in names("**Authors** A\n**Code** <https://x.org>\n**Why?** x")] == [
        "Authors",
        "Code",
        "Why?",
    ]


@pytest.mark.parametrize("text", ["A **Why?** inside", "**Whyever** x", "** Why?** x", "\\**Why?** x", "**Other** x"])
def test_other_bold_text_is_no_label(text: str) -> None:
    assert names(text) == []
    assert warnings(text) == []


def test_bold_in_a_code_span_over_two_lines_is_no_label() -> None:
    assert names("see `code\n**Why?** span` there") == []


def test_bold_after_a_code_span_and_a_hard_break_is_a_label() -> None:
    assert names("see `code` there\\\n**Why?** x") == [("Why?", 1, 9)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "**Reults** x",
            "f:1:1: warning: 'Reults' is not a label, so it stays part of the text before it. Did you mean **Results**? [unknown-label]",
        ),
        (
            "**Result:** x",
            "f:1:1: warning: 'Result:' is not a label, so it stays part of the text before it. Did you mean **Results**? [unknown-label]",
        ),
        (
            "**Hwo** x",
            "f:1:1: warning: 'Hwo' is not a label, so it stays part of the text before it. Did you mean **How?**? [unknown-label]",
        ),
        (
            "**Autors** x",
            "f:1:1: warning: 'Autors' is not a label, so it stays part of the text before it. Did you mean **Authors**? [unknown-label]",
        ),
        (
            "*Why?* x",
            "f:1:1: warning: This looks like the label Why?, but a label is bold at the start of a paragraph. Write **Why?** and the text after it. [unknown-label]",
        ),
        (
            "Results: x",
            "f:1:1: warning: This looks like the label Results, but a label is bold at the start of a paragraph. Write **Results** and the text after it. [unknown-label]",
        ),
        (
            "How? x",
            "f:1:1: warning: This looks like the label How?, but a label is bold at the start of a paragraph. Write **How?** and the text after it. [unknown-label]",
        ),
    ],
)
def test_a_near_miss_is_a_warning_with_a_guess(text: str, message: str) -> None:
    assert warnings(text) == [message]


@pytest.mark.parametrize(
    "text", ["**Now** we", "**Row** x", "**Cope** x", "Results are good", "How we did it", "Code is law"]
)
def test_ordinary_words_are_no_near_miss(text: str) -> None:
    assert warnings(text) == []


@pytest.mark.parametrize(
    ("word", "marked", "label"),
    [("restuls", False, "Results"), ("wyh", False, "Why?"), ("whi", True, "Why?"), ("whi", False, ""), ("", True, "")],
)
def test_the_nearest_label_is_one_slip_away(word: str, marked: bool, label: str) -> None:
    assert nearest_label(word, KNOWN, marked=marked) == label


def test_the_config_may_use_a_metadata_name_as_a_field() -> None:
    assert known_labels(("Code",))["code"] == ("Code", True)


def test_spellings_of_a_label_share_their_normal_form() -> None:
    assert normalise_label(" Why  it Matters?: ") == "why it matters"
