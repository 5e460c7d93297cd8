"""How a combination of choices is written down."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.variant import LONGEST_TEXT, WHOLE, VariantKey, join_works, work_key

TOPICS = st.frozensets(st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8})?", fullmatch=True), max_size=4)
WORKS = st.frozensets(
    st.from_regex(r"(arxiv:[0-9.]{1,9}|url:https://[a-z./]{1,20}|[a-z0-9-]{1,9}#[a-z]{1,9})", fullmatch=True)
)
KEYS = st.builds(VariantKey, TOPICS, WORKS)


def test_the_whole_edition_is_the_empty_text_and_topics_read_as_a_readers_choice() -> None:
    assert WHOLE.text == ""
    assert VariantKey(frozenset({"evaluations", "agents"})).text == "agents evaluations"
    assert VariantKey(without=frozenset({"arxiv:2", "arxiv:1"})).text == "\n-arxiv:1\n-arxiv:2"


@given(KEYS, KEYS)
def test_combinations_are_written_alike_only_when_they_are_alike(one: VariantKey, other: VariantKey) -> None:
    assert (one.text == other.text) == (one == other)


@given(KEYS)
def test_a_text_always_fits_an_index(key: VariantKey) -> None:
    assert len(key.text) <= LONGEST_TEXT
    many = VariantKey(key.topics, frozenset(f"url:https://example.org/{at}" for at in range(500)))
    assert len(many.text) == len("sha256:") + 64


def test_a_work_is_known_by_its_id_or_by_a_digest_of_a_long_one() -> None:
    assert work_key("arxiv:2405.16325") == "arxiv:2405.16325"
    long = f"url:https://example.org/{'x' * LONGEST_TEXT}"
    assert work_key(long).startswith("sha256:")
    assert work_key(long) != work_key(f"{long}y")


def test_works_are_named_once_in_their_order() -> None:
    assert join_works(["b", "a", "b"]) == ("b", "a")
