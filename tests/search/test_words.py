"""Two spellings of a word are one word, and it is known where each stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.search.words import LONGEST_WORD, find_words, fold_word, list_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Large Language-Models, (2024)", "large language models 2024"),
        ("naïve NAI\u0308VE Łódź Jørgen Æsop ﬁne", "naive naive lodz jorgen aesop fine"),
        ("STRASSE Straße straẞe", "strasse strasse strasse"),
        ("İstanbul ıstanbul", "istanbul istanbul"),
        ("C++, C#, c++17 and C; objective-c++", "cplusplus csharp cplusplus 17 and c objective cplusplus"),
        ("C#sharp c++ish", "c sharp c ish"),
        ("snake_case don’t 3.5 GPT-4", "snake case don t 3 5 gpt 4"),
        ("x² ½ ①", "x2 1 2 1"),
        ("soft\u00adhyphen", "softhyphen"),
        ("深度学习 and カナ", "深 度 学 习 and カ ナ"),
        ("が か\u3099", "か\u3099 か\u3099"),
        ("हिन्दी में", "हिन्दी में"),
        ("שָׁלוֹם شَدَّة", "שלום شدة"),
        ("ภาษา", "ภ า ษ า"),
        ("\u0301 — … ★ 🙂", ""),
        ("", ""),
    ],
)
def test_a_text_has_these_words(text: str, words: str) -> None:
    assert list_words(text) == words.split()


@given(st.text(max_size=200))
def test_words_stand_where_they_are_said_to(text: str) -> None:
    words = list(find_words(text))
    assert [word.text for word in words] == list_words(text)
    for word in words:
        assert word.text in fold_word(text[word.start : word.end])
    places = [(word.start, word.end) for word in words]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)


@given(st.text(max_size=200))
def test_words_are_something_that_both_engines_take_as_they_are(text: str) -> None:
    for word in list_words(text):
        assert 0 < len(word) <= LONGEST_WORD
        assert not set(word) & set("'\"\\*:&|!()<>-+ \t\n\0")
        assert word.lower() == word or not word.isascii()
        word.encode()


@given(st.text(st.characters(codec="ascii"), max_size=100))
def test_plain_english_is_read_alike_alone_and_among_other_scripts(text: str) -> None:
    assert list_words(f"{text} 漢") == [*list_words(text), "漢"]


@given(st.text(max_size=100))
def test_case_and_composition_make_no_other_words(text: str) -> None:
    assert list_words(text.casefold()) == list_words(text)
