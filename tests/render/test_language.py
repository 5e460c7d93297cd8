"""Which way languages are written."""

import pytest

from newsletter.render.language import direction_of


@pytest.mark.parametrize(
    ("language", "direction"),
    [("en", "ltr"), ("ar", "rtl"), ("he-IL", "rtl"), ("az-Arab", "rtl"), ("ur-Latn-PK", "ltr"), ("pt-BR", "ltr")],
)
def test_a_language_is_written_its_own_way(language: str, direction: str) -> None:
    assert direction_of(language) == direction
