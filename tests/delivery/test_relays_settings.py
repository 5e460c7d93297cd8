"""What the settings say about several relays."""

from pathlib import Path

import pytest

from newsletter.config import Relay as RelayEntry
from newsletter.config import Smtp
from newsletter.delivery.relay import RelayTransport, list_relays, open_relays
from newsletter.errors import UsageError
from tests.delivery.paced import Clock

SMTP = Smtp(
    host="a.example.org",
    timeout=7.0,
    user="ann",
    relays=(RelayEntry(host="b.example.org", port=25, tls="none", user="bob", weight=3, connections=5, per_hour=9),),
)


def test_what_an_entry_doesn_t_name_it_shares_with_the_first() -> None:
    first, second = list_relays(SMTP)
    assert first == SMTP.model_copy(update={"relays": ()})
    assert (second.host, second.port, second.tls, second.user) == ("b.example.org", 25, "none", "bob")
    assert (second.timeout, second.connections, second.per_hour, second.relays) == (7.0, 5, 9, ())


def test_each_relay_has_its_own_password(tmp_path: Path) -> None:
    both = {"NEWSLETTER_SMTP_PASSWORD": "x", "NEWSLETTER_SMTP_PASSWORD_2": "y"}
    assert open_relays(SMTP, both).name == "a.example.org:587, b.example.org:25"
    with pytest.raises(UsageError, match=r"smtp\.relays\[0\]\.user is 'bob', .* NEWSLETTER_SMTP_PASSWORD_2"):
        open_relays(SMTP, {"NEWSLETTER_SMTP_PASSWORD": "x"})


def test_one_relay_is_no_more_than_itself() -> None:
    assert isinstance(open_relays(Smtp(host="a.example.org"), {}), RelayTransport)


def test_limits_are_kept_for_each_relay_by_its_name() -> None:
    meters = Clock().meters()
    open_relays(SMTP, {"NEWSLETTER_SMTP_PASSWORD": "x", "NEWSLETTER_SMTP_PASSWORD_2": "y"}, meters)
    assert meters.find("relay:b.example.org:25", {}).limited
    assert not meters.find("relay:a.example.org:587", {}).limited
