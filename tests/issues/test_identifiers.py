import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.issues.identifiers import normalise_title, normalise_url, parse_identifier
from newsletter.model.issue import Identifier


@pytest.mark.parametrize(
    ("text", "value", "version"),
    [
        ("https://arxiv.org/abs/2405.16325v1", "2405.16325", "v1"),
        ("https://arxiv.org/abs/2405.16325", "2405.16325", ""),
        ("http://www.arxiv.org/pdf/2405.16325v12.pdf", "2405.16325", "v12"),
        ("https://arxiv.org/pdf/2405.16325", "2405.16325", ""),
        ("https://export.arxiv.org/html/2405.16325v3/", "2405.16325", "v3"),
        ("https://ArXiv.org/abs/2405.16325?context=cs.CL#top", "2405.16325", ""),
        ("https://arxiv.org/abs/hep-th/9901001v2", "hep-th/9901001", "v2"),
        ("https://arxiv.org/pdf/math.GT/0309136", "math/0309136", ""),
        ("arXiv:2405.16325V2", "2405.16325", "v2"),
        ("arxiv:0704.0001", "0704.0001", ""),
        ("2405.16325v1", "2405.16325", "v1"),
        ("https://doi.org/10.48550/arXiv.2405.16325", "2405.16325", ""),
    ],
)
def test_every_spelling_of_an_arxiv_paper_gives_its_bare_id_and_version(text: str, value: str, version: str) -> None:
    assert parse_identifier(text) == Identifier("arxiv", value, version)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://doi.org/10.1145/3442188.3445922", "10.1145/3442188.3445922"),
        ("http://dx.doi.org/10.1002/(SICI)1097%3C1::AID%3E", "10.1002/(sici)1097<1::aid>"),
        ("doi:10.1145/ABC", "10.1145/abc"),
        ("10.1145/ABC", "10.1145/abc"),
        ("https://www.doi.org/10.1000.10/x?utm_source=y", "10.1000.10/x"),
    ],
)
def test_a_doi_is_decoded_and_in_lower_case(text: str, value: str) -> None:
    assert parse_identifier(text) == Identifier("doi", value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("HTTPS://Example.ORG:443/A?utm_source=x&b=1&UTM_medium=y#f", "https://example.org/A?b=1"),
        ("http://example.org:80", "http://example.org/"),
        ("http://example.org:8080/a", "http://example.org:8080/a"),
        ("https://user:word@example.org/", "https://example.org/"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
        ("https://arxiv.org/list/cs.CL/recent", "https://arxiv.org/list/cs.CL/recent"),
        ("https://arxiv.org/abs/2499.12345", "https://arxiv.org/abs/2499.12345"),
        ("https://doi.org/", "https://doi.org/"),
    ],
)
def test_any_other_address_is_normalised(text: str, value: str) -> None:
    assert parse_identifier(text) == Identifier("url", value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "word",
        "arxiv:word",
        "doi:word",
        "ftp://example.org/x",
        "https://[x",
        "http://x:99999/",
        "https://",
        "a b",
        "2413.1",
    ],
)
def test_what_names_no_work_is_none(text: str) -> None:
    assert parse_identifier(text) is None


def test_an_endless_identifier_is_not_read() -> None:
    assert parse_identifier("https://example.org/" + "x" * 3000) is None


@given(st.text(max_size=60) | st.builds("https://{}".format, st.text(max_size=60)))
def test_reading_an_identifier_never_raises_and_its_own_address_gives_it_again(text: str) -> None:
    found = parse_identifier(text)
    if found:
        again = parse_identifier(found.url)
        assert again is not None
        assert again.key == found.key


@given(
    st.builds("10.{}/{}".format, st.integers(1000, 999_999), st.text("abc/().<>;:?#%&\"'é_-", min_size=1, max_size=20))
)
def test_the_address_of_any_doi_leads_back_to_it(doi: str) -> None:
    found = parse_identifier(f"doi:{doi.replace('%', '%25')}")
    assert found is not None
    assert parse_identifier(found.url) == found


def test_normalising_an_address_twice_changes_nothing() -> None:
    once = normalise_url("HTTP://Example.org:80/a%20b?utm_x=1&q=%C3%A9#z")
    assert once == "http://example.org/a%20b?q=%C3%A9"
    assert normalise_url(once) == once


def test_titles_are_equal_whatever_their_case_signs_and_spaces() -> None:
    assert normalise_title("M³GPT:  An  Advanced “Framework”!") == normalise_title("m3gpt an advanced framework")
    assert normalise_title("!?") == ""
