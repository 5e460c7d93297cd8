import os
from pathlib import Path

import pytest

from newsletter.config import Web
from newsletter.web import shelf
from tests.web.conftest import FEED, MakeTown, Town

GZIP = {"accept-encoding": "gzip"}


@pytest.mark.parametrize(("accept", "encoding"), [("identity", None), ("gzip", "gzip"), ("br, gzip;q=0.5", "br")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_each_encoding_has_its_own_strong_tag(town: Town, method: str, accept: str, encoding: str | None) -> None:
    answer = town.client.request(method, "/feed.xml", headers={"accept-encoding": accept})
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "application/rss+xml; charset=utf-8"
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["etag"].endswith(f'-{encoding}"') == bool(encoding)
    assert int(answer.headers["content-length"]) > 0
    assert answer.content == (FEED if method == "GET" else b"")


@pytest.mark.parametrize("headers", [{"accept-encoding": "identity"}, GZIP, {"accept-encoding": "br"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_it_already_gets_a_304(town: Town, method: str, headers: dict[str, str]) -> None:
    first = town.client.head("/feed.xml", headers=headers)
    for tags in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = town.client.request(method, "/feed.xml", headers={**headers, "if-none-match": tags})
        assert again.status_code == 304
        assert again.content == b""
        for name in ("etag", "cache-control", "vary", "last-modified"):
            assert again.headers[name] == first.headers[name]
        assert "content-type" not in again.headers


def test_a_tag_of_another_encoding_does_not_match(town: Town) -> None:
    tag = town.client.head("/feed.xml", headers=GZIP).headers["etag"]
    assert (
        town.client.head("/feed.xml", headers={"accept-encoding": "identity", "if-none-match": tag}).status_code == 200
    )


def test_a_date_counts_only_without_a_tag(town: Town) -> None:
    date = town.client.head("/feed.xml").headers["last-modified"]
    assert town.client.get("/feed.xml", headers={"if-modified-since": date}).status_code == 304
    assert (
        town.client.get("/feed.xml", headers={"if-modified-since": "Sat, 01 Jan 2000 00:00:00 GMT"}).status_code == 200
    )
    both = {"if-modified-since": date, "if-none-match": '"other"'}
    assert town.client.get("/feed.xml", headers=both).status_code == 200


def test_a_folder_has_a_page_and_an_address_with_a_slash(town: Town) -> None:
    assert town.client.get("/").text == "<h1>Front page</h1>"
    assert town.client.get("/issues/2024-05-25/").text == "<h1>An issue</h1>"
    moved = town.client.get("/issues/2024-05-25?a=b")
    assert moved.status_code == 308
    assert moved.headers["location"] == "./2024-05-25/?a=b"


@pytest.mark.parametrize("path", ["/.build.json", "/feed.xml.gz", "/issues/", "/%2e%2e/secret", "/nothing", "/a/.b/c"])
def test_what_is_not_for_the_world_is_not_there(town: Town, path: str) -> None:
    answer = town.client.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_caches_keep_pages_shortly_and_versioned_styles_for_good(town: Town) -> None:
    style = town.client.get("/style.css")
    assert style.headers["cache-control"] == "public, max-age=86400"
    version = style.headers["etag"].strip('"')[:8]
    assert "immutable" in town.client.get(f"/style.css?v={version}").headers["cache-control"]
    assert "immutable" not in town.client.get("/style.css?v=00000000").headers["cache-control"]
    assert town.client.get("/feed.xml").headers["cache-control"].startswith("public, max-age=300")


def test_every_file_guards_who_opens_it(town: Town) -> None:
    for path in ("/", "/feed.xml", "/icon.svg", "/style.css"):
        headers = town.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["content-security-policy"] or path == "/icon.svg" or path != "/"
        assert headers["permissions-policy"]
        assert "set-cookie" not in headers
    assert town.client.get("/feed.xml").headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in town.client.get("/").headers


def test_other_sites_images_are_shown_only_where_the_config_says_so(make_town: MakeTown) -> None:
    assert "img-src 'self';" in make_town().client.get("/").headers["content-security-policy"]
    town = make_town(web=Web(image_hosts=("https://img.example",)))
    assert "img-src 'self' https://img.example;" in town.client.get("/").headers["content-security-policy"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_a_file_can_only_be_read(town: Town, method: str) -> None:
    answer = town.client.request(method, "/feed.xml")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_site_below_a_path_is_served_there(make_town: MakeTown) -> None:
    town = make_town("https://example.org/news")
    client = town.visitor("192.0.2.1", host="example.org")
    assert client.get("/news/").text == "<h1>Front page</h1>"
    assert client.get("/news/feed.xml").status_code == 200
    assert client.get("/feed.xml").status_code == 404
    assert client.get("/news/join").status_code == 200
    assert client.get("/join").status_code == 404


def test_an_actions_address_is_never_a_file(town: Town, folder: Path) -> None:
    (folder / "join").write_bytes(b"a file in the way")
    assert "<form" in town.client.get("/join").text


def test_a_large_file_comes_whole(town: Town, folder: Path) -> None:
    content = os.urandom(shelf.LARGEST_HELD + 100_000)
    (folder / "talk.pdf").write_bytes(content)
    answer = town.client.get("/talk.pdf")
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert town.client.head("/talk.pdf").content == b""
    assert town.client.get("/talk.pdf", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
