"""Images that mail shows and the site's pages don't are noticed before readers do."""

import pytest

from newsletter.config import Issues
from newsletter.issues.check import Pages, check_issue
from newsletter.issues.check_images import shows_image
from newsletter.model.problem import Problem
from tests.issues.conftest import ENTRY, Read

SITE = "https://news.example.org"


def check(read: Read, body: str, pages: Pages | None) -> list[Problem]:
    issue = read(ENTRY + body).issue
    assert issue is not None
    return list(check_issue(issue, Issues(), {}, pages))


def test_an_image_that_only_mail_would_show_is_a_warning_that_names_the_key(read: Read) -> None:
    body = "See ![A bee](https://other.example/bee.png).\n\n![Two](https://other.example/two.png)"
    assert [str(problem) for problem in check(read, body, Pages(SITE))] == [
        "issues/2024-05-25.md:9:5: warning: Mail shows this image, but the site's pages don't: they show none of "
        'https://other.example. Put "https://other.example" into [web] image_hosts, or set [web] enabled = false if '
        "`newsletter serve` doesn't serve the site. [image-host]"
    ]
    assert check(read, body, Pages(SITE, ("https://other.example",))) == []
    assert check(read, body, None) == []


def test_raw_html_is_no_way_around_it(read: Read) -> None:
    body = 'A <img src="https://a.example/1.png" alt="">\n\n<img src="https://b.example/2.png" alt="A bee">\n'
    problems = check(read, body, Pages(SITE))
    assert [(problem.line, problem.column, problem.code) for problem in problems] == [
        (9, 3, "image-host"),
        (11, 1, "image-host"),
    ]


def test_what_is_no_address_for_an_image_is_said_once(read: Read) -> None:
    assert [problem.code for problem in check(read, "![A bee](bee.png)", Pages(SITE))] == ["relative-link"]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("plot.png", "images/plot.png"),
        ("../figures/plot-2.svg", "images/plot-2.svg"),
        ("/plot.png", "images/plot.png"),
        ("plot.avif", "images/plot.avif"),
        ("my%20plot.png?x", "images/plot.png"),
    ],
)
def test_an_image_beside_the_issue_is_refused_with_the_place_where_it_can_be(
    read: Read, source: str, place: str
) -> None:
    assert [str(problem) for problem in check(read, f"![A plot]({source})", None)] == [
        f"issues/2024-05-25.md:9:1: error: {source} is relative: in a mail or a feed it leads nowhere. Put the file "
        f"into the site's folder ([site] folder), as {place} say, and write https://…/{place}. [relative-link]"
    ]


@pytest.mark.parametrize(
    ("listed", "source", "shown"),
    [
        ("", "https://news.example.org/a.png", True),
        ("", "HTTPS://News.Example.org:443/a.png", True),
        ("", "https://news.example.org:8443/a.png", False),
        ("", "http://news.example.org/a.png", False),
        ("img.example", "https://img.example/a.png", True),
        ("img.example", "http://img.example/a.png", False),
        ("http://img.example", "https://img.example/a.png", True),
        ("http://img.example", "https://img.example:8443/a.png", False),
        ("https://img.example:8443", "https://img.example:8443/a.png", True),
        ("xn--bcher-kva.example", "https://bücher.example/a.png", True),
        ("img.example:99999", "https://img.example/a.png", False),
        ("*.img.example", "https://eu.img.example/a.png", True),
        ("*.img.example", "https://img.example/a.png", False),
        ("*.img.example", "https://notimg.example/a.png", False),
    ],
)
def test_a_page_shows_what_a_browser_would_let_it(listed: str, source: str, shown: bool) -> None:
    assert shows_image(Pages(SITE, (listed,) if listed else ()), source) is shown
