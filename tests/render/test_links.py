"""Addresses that lead to the same place everywhere."""

from markupsafe import Markup

from newsletter.render.links import resolve_link, resolve_links

PAGE = "https://news.example/issues/1/"


def test_relative_addresses_lead_from_the_page() -> None:
    html = Markup('<p title="href=&quot;x&quot;"><a href="../2/?a=1&amp;b">x</a><img src="/i.png"> href="no"</p>')
    assert resolve_links(html, PAGE) == (
        '<p title="href=&quot;x&quot;"><a href="https://news.example/issues/2/?a=1&amp;b">x</a>'
        '<img src="https://news.example/i.png"> href="no"</p>'
    )


def test_absolute_and_unreadable_addresses_are_left_alone() -> None:
    assert resolve_link("mailto:me@example.org", PAGE) == "mailto:me@example.org"
    assert resolve_link("http://[", PAGE) == "http://["
