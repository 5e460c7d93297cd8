import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.names import Name, parse_authors, parse_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ada Lovelace", Name("Lovelace", "Ada")),
        ("Bryan Kian Hsiang Low", Name("Low", "Bryan Kian Hsiang")),
        ("J. K. Rowling", Name("Rowling", "J. K.")),
        ("Ludwig van Beethoven", Name("Beethoven", "Ludwig", "van")),
        ("Laurens van der Maaten", Name("Maaten", "Laurens", "van der")),
        ("Maria de la Cruz Garcia", Name("Cruz Garcia", "Maria", "de la")),
        ("van Gogh", Name("Gogh", "", "van")),
        ("bell hooks", Name("hooks", "bell")),
        ("Martin Luther King, Jr.", Name("King", "Martin Luther", "", "Jr.")),
        ("Sammy Davis Jr.", Name("Davis", "Sammy", "", "Jr.")),
        ("King, Martin Luther, Jr.", Name("King", "Martin Luther", "", "Jr.")),
        ("van der Maaten, Laurens", Name("Maaten", "Laurens", "van der")),
        ("Henry Ford III", Name("Ford", "Henry", "", "III")),
        ("Jane Doe, PhD", Name("Doe", "Jane")),
        ("Yann LeCun (Meta)", Name("LeCun", "Yann")),
        ("Qingyao Ai", Name("Ai", "Qingyao")),
    ],
)
def test_a_persons_name_is_split_into_its_parts(text: str, name: Name) -> None:
    assert parse_name(text) == name


@pytest.mark.parametrize("text", ["OpenAI", "Gemini Team", "The BigScience Workshop", "Mistral AI", "王 小明", "Plato"])
def test_what_is_not_clearly_a_person_in_the_western_order_stays_in_one_piece(text: str) -> None:
    assert parse_name(text) == Name(literal=text)


@pytest.mark.parametrize("last", ["et al.", "et al", "and others", "12 others", "…", "..."])
def test_et_al_is_nobody_but_says_that_there_are_others(last: str) -> None:
    ada = Name("Lovelace", "Ada")
    assert parse_authors(["Ada Lovelace", last]) == ((ada,), True)
    assert parse_authors([f"Ada Lovelace {last}"]) == ((ada,), True)


def test_a_name_that_holds_the_letters_of_et_al_is_a_name() -> None:
    assert parse_authors(["Chet Alfano", "Albert Others"])[0][0] == Name("Alfano", "Chet")
    assert parse_authors(["Chet Alfano"])[1] is False


@given(st.text(max_size=60))
def test_no_name_breaks_anything_and_none_is_lost(text: str) -> None:
    name = parse_name(text)
    assert bool(name.literal) != bool(name.family) or not text.strip(" ,\t\r\n") or not (name.literal + name.family)
    assert all(part == " ".join(part.split()) for part in (name.family, name.given, name.particle, name.literal))
