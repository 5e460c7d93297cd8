import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web import shelf as module
from newsletter.web.shelf import Shelf, media_type_of, parse_path


@pytest.fixture
def shelf(folder: Path) -> Shelf:
    return Shelf(folder, 1_000_000)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", ""),
        (b"/feed.xml", "feed.xml"),
        (b"/issues/2024-05-25/", "issues/2024-05-25/"),
        (b"/%66eed.xml", "feed.xml"),
        (b"/Bild%20eins.png", "Bild eins.png"),
        (b"/%C3%A4.png", "ä.png"),
        (b"/.well-known/security.txt", ".well-known/security.txt"),
    ],
)
def test_an_address_means_a_path(raw: bytes, path: str) -> None:
    assert parse_path(raw) == path


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"feed.xml",
        b"//",
        b"//evil.example/x",
        b"/..",
        b"/../secret",
        b"/%2e%2e/secret",
        b"/a/..%2f..%2fsecret",
        b"/a/%2e%2e%5csecret",
        b"/.build.json",
        b"/a/.git/config",
        b"/.well-known",
        b"/.well-known/.hidden",
        b"/a//b",
        b"/a%00.html",
        b"/a%0a",
        b"/\xff",
        b"/%ff",
        b"/" + b"a" * 2000,
    ],
)
def test_what_leads_out_of_the_folder_or_to_dotfiles_means_nothing(raw: bytes) -> None:
    assert parse_path(raw) is None


_PIECES = [
    b"/",
    b"..",
    b".",
    b"%2e",
    b"%2f",
    b"%5c",
    b"\\",
    b"%00",
    b"a",
    b"feed.xml",
    b".build.json",
    b"%252e",
    b"~",
    b"//",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map(b"".join) | st.binary(max_size=60))
def test_no_address_leads_out_of_the_folder(raw: bytes) -> None:
    path = parse_path(b"/" + raw)
    if path is not None:
        assert not Path(path).is_absolute()
        inside = Path(os.path.normpath(Path("/site") / path))
        assert inside.is_relative_to("/site")
        names = [name for name in path.split("/") if name]
        assert not any(name.startswith(".") for name in names[1:])
        assert not names or not names[0].startswith(".") or names[0] == ".well-known"


def test_a_file_is_found_with_its_variants(shelf: Shelf) -> None:
    held = shelf.find("feed.xml")
    assert held is not None
    assert set(held.bodies) == {"", "gzip", "br"}
    assert held.etag("").strip('"') == held.digest
    assert len({held.etag(encoding) for encoding in held.bodies}) == 3


def test_a_variant_is_not_shown_by_itself_unless_it_stands_alone(shelf: Shelf, folder: Path) -> None:
    assert shelf.find("feed.xml.gz") is None
    (folder / "data.tar.gz").write_bytes(b"an archive")
    assert shelf.find("data.tar.gz") is not None


def test_folders_and_what_is_missing_are_no_files(shelf: Shelf) -> None:
    assert shelf.find("issues") is None
    assert shelf.find("nothing") is None
    assert shelf.is_folder("issues/2024-05-25")
    assert not shelf.is_folder("issues")


def test_a_file_that_changed_is_read_again(folder: Path) -> None:
    shelf = Shelf(folder, 1_000_000, believed=0.0)
    first = shelf.find("index.html")
    (folder / "index.html").write_bytes(b"<h1>Another front page</h1>")
    second = shelf.find("index.html")
    assert first is not None
    assert second is not None
    assert second.bodies[""] == b"<h1>Another front page</h1>"
    assert first.etag("") != second.etag("")
    (folder / "index.html").unlink()
    assert shelf.find("index.html") is None


def test_an_unchanged_file_is_read_once(shelf: Shelf, folder: Path) -> None:
    old = 1_700_000_000
    os.utime(folder / "index.html", (old, old))
    first = shelf.find("index.html")
    assert first is not None
    assert shelf.find("index.html") is first
    assert first.last_modified == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_a_variant_that_is_older_than_its_file_is_passed_over(shelf: Shelf, folder: Path) -> None:
    os.utime(folder / "feed.xml.gz", (1, 1))
    held = shelf.find("feed.xml")
    assert held is not None
    assert set(held.bodies) == {"", "br"}


def test_a_restart_changes_no_validator(folder: Path) -> None:
    tags = [
        (held.etag("gzip"), held.last_modified) for _ in range(2) if (held := Shelf(folder, 10**6).find("feed.xml"))
    ]
    assert len(tags) == 2
    assert tags[0] == tags[1]


def test_memory_is_bounded(folder: Path) -> None:
    for at in range(20):
        (folder / f"{at}.txt").write_bytes(b"x" * 1000)
    shelf = Shelf(folder, 10_000)
    held = [shelf.find(f"{at}.txt") for at in range(20)]
    assert all(held)
    assert shelf.find("19.txt") is held[19]
    assert shelf.find("0.txt") is not held[0]


def test_a_large_file_is_not_held(folder: Path) -> None:
    (folder / "talk.pdf").write_bytes(b"x" * (module.LARGEST_HELD + 1))
    held = Shelf(folder, 10**9).find("talk.pdf")
    assert held is not None
    assert held.large
    assert held.weight < 10_000


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("feed.xml", "application/rss+xml; charset=utf-8"),
        ("sections/a/atom.xml", "application/atom+xml; charset=utf-8"),
        ("feed.json", "application/feed+json"),
        ("sitemap.xml", "application/xml; charset=utf-8"),
        ("icon.SVG", "image/svg+xml"),
        ("x.unknown", "application/octet-stream"),
    ],
)
def test_a_file_has_the_type_of_its_name(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
