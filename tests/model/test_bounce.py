import pytest

from newsletter.model.bounce import spell_answer


@pytest.mark.parametrize(
    ("code", "status", "words", "said"),
    [
        (550, "5.1.1", "550 5.1.1 no such user", "550 5.1.1 no such user"),
        (550, "5.1.1", "550-5.1.1 The account", "550-5.1.1 The account"),
        (550, "5.1.1", "no such user", "550 5.1.1 no such user"),
        (550, "5.1.1", "550 5.1.10 no such user", "5.1.1 550 5.1.10 no such user"),
        (0, "5.1.1", "", "5.1.1"),
        (0, "", "", ""),
    ],
)
def test_an_answer_has_its_codes_once(code: int, status: str, words: str, said: str) -> None:
    assert spell_answer(code, status, words) == said
