import pytest

from newsletter.cli.serve import compose_place
from newsletter.config import Publication, Settings, Web


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://news.acme.example", "http://127.0.0.1:8123/"),
        ("https://acme.example/news/", "http://127.0.0.1:8123/news/"),
    ],
)
def test_the_address_that_is_named_is_the_front_page_where_the_site_has_a_folder_of_its_own(
    url: str, place: str
) -> None:
    settings = Settings(publication=Publication(url=url), web=Web(host="127.0.0.1"))
    assert compose_place(settings, 8123) == place
