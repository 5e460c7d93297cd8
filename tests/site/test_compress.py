"""Precompressed variants beside the site's files."""

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import NewsletterError
from newsletter.site.compress import LEAST_BYTES, compress_variants
from newsletter.site.files import write_file

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

NEW = date(2024, 1, 6)


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_a_variant_unpacks_to_the_content_or_there_is_none(content: bytes, times: int) -> None:
    zipped, brotlied = compress_variants(content * times)
    assert not zipped or gzip.decompress(zipped) == content * times
    assert not brotlied or brotli.decompress(brotlied) == content * times
    assert len(zipped) < max(1, len(content * times))
    assert (zipped, brotlied) == compress_variants(content * times)


def test_a_small_file_has_no_variants() -> None:
    assert compress_variants(b"a" * (LEAST_BYTES - 1)) == (b"", b"")
    assert all(compress_variants(b"a" * LEAST_BYTES))


def unpacked(ledger: Ledger) -> dict[str, bytes]:
    """Return what the variants hold, by their names."""
    unpack = {".gz": gzip.decompress, ".br": brotli.decompress}
    return {path: unpack[path[-3:]](content) for path, (_, content) in ledger.files(variants=True).items()}


def expected(ledger: Ledger) -> dict[str, bytes]:
    large = {path: content for path, (_, content) in ledger.files().items() if len(content) >= LEAST_BYTES}
    return {path + suffix: content for path, content in large.items() for suffix in (".gz", ".br")}


def test_every_file_of_some_size_has_both_variants(week: Ledger) -> None:
    assert unpacked(week) == expected(week)
    assert {"index.html.br", "feed.xml.gz", "atom.xml.br", "feed.json.gz", "style.css.br"} < unpacked(week).keys()


def test_an_unchanged_build_touches_no_variant(week: Ledger) -> None:
    before = week.files(variants=True)
    week.build()
    assert week.files(variants=True) == before


def test_variants_change_and_go_with_their_files(week: Ledger) -> None:
    week.publish(NEW, ["2401.00001v1"])
    del week.published["2024-01-03"]
    week.build()
    assert unpacked(week) == expected(week)


@pytest.mark.parametrize("suffix", [".gz", ".br"])
def test_a_variant_that_went_missing_or_was_cut_short_comes_back(week: Ledger, suffix: str) -> None:
    (week.folder / f"index.html{suffix}").unlink()
    (week.folder / f"feed.xml{suffix}").write_bytes(b"")
    week.build()
    assert unpacked(week) == expected(week)


def test_variants_go_when_they_are_no_longer_wanted_and_come_back_when_they_are(week: Ledger) -> None:
    wanted = week.settings
    site = wanted.site.model_copy(update={"precompress": False})
    week.settings = wanted.model_copy(update={"site": site})
    assert week.touched_by(lambda: None) == set()
    assert week.files(variants=True) == {}
    week.settings = wanted
    assert week.touched_by(lambda: None) == set()
    assert unpacked(week) == expected(week)


def test_a_lost_record_leaves_no_variant_of_what_is_gone(week: Ledger) -> None:
    (week.folder / ".build.json").unlink()
    del week.published["2024-01-03"]
    week.build()
    assert unpacked(week) == expected(week)


def test_a_file_that_became_the_users_keeps_no_variant_of_ours(week: Ledger) -> None:
    page = week.folder / "404.html"
    page.write_text("<h1>Mine</h1>")
    for _ in range(2):
        assert week.build().left_alone == (page,)
        assert not (week.folder / "404.html.gz").exists()
    (week.folder / "404.html.gz").write_text("mine, too")
    week.build()
    assert (week.folder / "404.html.gz").read_text() == "mine, too"


def test_a_strangers_variant_in_the_way_is_named(ledger: Ledger) -> None:
    ledger.publish(date(2024, 1, 1))
    ledger.folder.mkdir()
    (ledger.folder / "index.html.gz").write_text("something else")
    with pytest.raises(NewsletterError, match=r"index\.html\.gz\nMove them away"):
        ledger.build()


def test_a_build_that_stops_between_a_file_and_its_variants_leaves_no_variant_of_the_old_one(tmp_path: Path) -> None:
    write_file(tmp_path, "page.html", b"old", (b"old in gzip", b"old in Brotli"))
    (tmp_path / ".page.html.gz.new").mkdir()
    with pytest.raises(NewsletterError, match="build again"):
        write_file(tmp_path, "page.html", b"new", (b"new in gzip", b"new in Brotli"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["page.html"]
    (tmp_path / ".page.html.gz.new").rmdir()
    assert not write_file(tmp_path, "page.html", b"new", (b"new in gzip", b"new in Brotli"))
    assert (tmp_path / "page.html.br").read_bytes() == b"new in Brotli"
