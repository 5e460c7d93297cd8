# ruff: noqa: E501 - in a table of messages, one case a line reads best
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.issues.addresses import SHORTENERS, check_address


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org",
        "http://example.org:8080/a_(b)?q=1&r=%20#f",
        "HTTPS://Example.ORG/",
        "https://xn--bcher-kva.example/",
        "https://bücher.example/",
        "https://8.8.8.8/x",
        "https://[2606:4700::1111]/",
        "https://example.org./",
        "https://a_b.example.org/",
        "mailto:editor@example.org?subject=Hello",
    ],
)
def test_a_full_public_address_is_fine(address: str) -> None:
    assert check_address(address) is None


@pytest.mark.parametrize(
    ("address", "code", "message", "hint"),
    [
        ("", "malformed-link", "The link has no address.", "Write it in the parentheses: [text](https://…)."),
        ("../x", "relative-link", "../x is relative: in a mail or a feed it leads nowhere.", "Write the full address, https:// and all."),
        ("/x", "relative-link", "/x is relative: in a mail or a feed it leads nowhere.", "Write the full address, https:// and all."),
        ("notes.md", "relative-link", "notes.md is relative: in a mail or a feed it leads nowhere.", "Write the full address, https:// and all."),
        ("#top", "relative-link", "#top is relative: in a mail or a feed it leads nowhere.", "Write the full address of the page with the anchor at its end."),
        ("//example.org/x", "relative-link", "//example.org/x is relative: in a mail or a feed it leads nowhere.", "Write https://example.org/x."),
        ("www.example.org", "malformed-link", "www.example.org has no scheme, so it leads nowhere.", "Write https://www.example.org."),
        ("example.org/x.html", "malformed-link", "example.org/x.html has no scheme, so it leads nowhere.", "Write https://example.org/x.html."),
        ("localhost:8000/x", "malformed-link", "localhost:8000/x has no scheme, so it leads nowhere.", "Write https://localhost:8000/x."),
        ("ann@example.org", "malformed-link", "ann@example.org is a mail address, not a link.", "Write mailto:ann@example.org."),
        ("mailto:", "malformed-link", "A mailto link without an address.", "Write mailto:name@example.org."),
        ("http:/example.org", "malformed-link", "http:/example.org doesn't start with http:// and a host.", "Write http://example.org."),
        ("https:example.org", "malformed-link", "https:example.org doesn't start with https:// and a host.", "Write https://example.org."),
        ("https:///example.org", "malformed-link", "https:///example.org doesn't start with https:// and a host.", "Write https://example.org."),
        ("https://", "malformed-link", "https:// is only the beginning of an address.", "Write the whole address, such as https://example.org/page."),
        ("https://https://example.org", "malformed-link", "'https' is no host on the web.", "Check the spelling between :// and the next /."),
        ("https://example", "malformed-link", "'example' is no host on the web.", "Check the spelling between :// and the next /."),
        ("https://example..org", "malformed-link", "'example..org' is no host on the web.", "Check the spelling between :// and the next /."),
        ("https://exam%20ple.org", "malformed-link", "'exam%20ple.org' is no host on the web.", "Check the spelling between :// and the next /."),
        ("https://example.org/a b", "malformed-link", "https://example.org/a b holds a space or a character that no address may hold.", "Write a space as %20, or check where the address ends."),
        ("https://example.org:port/", "malformed-link", "https://example.org:port/ is no valid address.", "Check its host and port."),
        ("https://[::1/", "malformed-link", "https://[::1/ is no valid address.", "Check its host and port."),
        ("https://ann:secret@example.org/", "link-userinfo", "The link to example.org holds a user name or password, which mail programs take for fraud.", "Remove everything between :// and @."),
        ("http://localhost/x", "local-link", "localhost can be reached from inside your own network only.", "Use the public address."),
        ("http://192.168.0.1/", "local-link", "192.168.0.1 can be reached from inside your own network only.", "Use the public address."),
        ("http://[::1]/", "local-link", "::1 can be reached from inside your own network only.", "Use the public address."),
        ("http://wiki.local/", "local-link", "wiki.local can be reached from inside your own network only.", "Use the public address."),
        ("javascript:alert(1)", "unsupported-link", "A link that starts with javascript: is dropped before anything is sent.", "Use one of http, https, mailto."),
        ("ftp://example.org", "unsupported-link", "A link that starts with ftp: is dropped before anything is sent.", "Use one of http, https, mailto."),
        ("https://bit.ly/x", "shortened-link", "bit.ly hides where the link leads, and spam filters punish it.", "Open it and use the address it leads to."),
        ("https://www.bit.ly./x", "shortened-link", "www.bit.ly. hides where the link leads, and spam filters punish it.", "Open it and use the address it leads to."),
    ],
)  # fmt: skip
def test_any_other_address_is_explained(address: str, code: str, message: str, hint: str) -> None:
    fault = check_address(address)
    assert fault is not None
    assert (fault.code, fault.message, fault.hint) == (code, message, hint)
    assert (fault.severity == "warning") == (code == "shortened-link")


def test_an_image_can_be_neither_written_into_the_text_nor_mailed_to() -> None:
    data, mail = check_address("data:image/png;base64,AA", image=True), check_address("mailto:a@b.org", image=True)
    assert data is not None
    assert mail is not None
    assert data.message == "Most mail programs don't show an image written into the text (data:)."
    assert mail.code == "unsupported-link"


def test_no_password_is_ever_repeated() -> None:
    fault = check_address("https://ann:secret@example.org/")
    assert fault is not None
    assert "secret" not in fault.message + fault.hint


@pytest.mark.parametrize("host", ["t.co", "tinyurl.com", "goo.gl", "lnkd.in", "ow.ly"])
def test_the_usual_shorteners_are_known(host: str) -> None:
    assert host in SHORTENERS


@given(
    st.text(max_size=40) | st.builds("{}:{}".format, st.sampled_from(["http", "https", "mailto"]), st.text(max_size=40))
)
def test_no_address_breaks_the_judge(address: str) -> None:
    fault = check_address(address)
    assert fault is None or fault.message
