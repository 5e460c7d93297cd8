import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.topic import LONGEST_KEY, topic_key


@pytest.mark.parametrize(
    ("heading", "key"),
    [
        ("LLMs evaluations", "llms-evaluations"),
        ("Core research improving LLMs!", "core-research-improving-llms"),
        ("Größe & Übermaß", "grosse-ubermass"),
        ("Let’s go", "lets-go"),
        ("2024: what's new?", "2024-whats-new"),
        ("C++ and C#", "c-plus-plus-and-c-sharp"),
    ],
)
def test_a_key_is_the_heading_in_plain_letters(heading: str, key: str) -> None:
    assert topic_key(heading) == key


# These stand in addresses and in what readers chose.
@pytest.mark.parametrize(
    ("heading", "key"),
    [
        ("大模型", "topic-25d7abe5"),
        ("Новости LLM", "llm-7c672ade"),
        ("", "topic-e3b0c442"),
        ("word " * 20, "word-word-word-word-word-word-word-word-word-word-28c51cf7"),
    ],
)
def test_a_key_that_had_to_leave_letters_out_ends_in_a_digest_that_stays(heading: str, key: str) -> None:
    assert topic_key(heading) == key


def test_two_headings_that_look_alike_in_plain_letters_only_have_two_keys() -> None:
    assert topic_key("Новости LLM") != topic_key("Обзоры LLM")
    assert topic_key("🔥") != topic_key("🚀")
    assert topic_key("word " * 20) != topic_key("word " * 21)


@given(st.text(max_size=200))
def test_every_heading_has_a_key_that_is_safe_in_an_address(heading: str) -> None:
    key = topic_key(heading)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key)
    assert len(key) <= LONGEST_KEY


@given(st.text(st.characters(codec="ascii"), max_size=200))
def test_case_and_spaces_make_no_other_key(heading: str) -> None:
    assert topic_key(f"  {heading.upper()} ") == topic_key(heading.lower())


@given(st.text(max_size=200))
def test_a_key_is_its_own_key(heading: str) -> None:
    assert topic_key(topic_key(heading)) == topic_key(heading)
