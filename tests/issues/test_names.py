import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.issues.names import parse_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ann", ("Ann",)),
        ("Ann, Bo, Cy", ("Ann", "Bo", "Cy")),
        ("Ann and Bo", ("Ann", "Bo")),
        ("Ann, Bo and Cy", ("Ann", "Bo", "Cy")),
        ("Ann, Bo, and Cy", ("Ann", "Bo", "Cy")),
        ("Ann & Bo", ("Ann", "Bo")),
        ("Author, Ann; Bold, Bo", ("Author, Ann", "Bold, Bo")),
        ("Ann (MIT, Boston), Bo", ("Ann (MIT, Boston)", "Bo")),
        ("Martin King, Jr., Bo", ("Martin King, Jr.", "Bo")),
        ("Ann and Martin King, Jr.", ("Ann", "Martin King, Jr.")),
        ("Sandy Anderson, Andrea Brand", ("Sandy Anderson", "Andrea Brand")),
        ("王伟、李娜", ("王伟", "李娜")),
        (" Ann ,, Bo, ", ("Ann", "Bo")),
        ("", ()),
    ],
)
def test_names_are_told_apart(text: str, names: tuple[str, ...]) -> None:
    assert parse_names(text) == names


@given(st.text(max_size=100))
def test_no_text_breaks_the_reader_and_no_name_is_empty(text: str) -> None:
    assert all(name == name.strip() != "" for name in parse_names(text))
