import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.clients import Client, find_client, parse_trust

NETWORKS = ["10.0.0.0/8", "2001:db8::/32"]
TRUST = parse_trust(NETWORKS)
STANDARD = parse_trust(NETWORKS, "forwarded")
PROXY = "10.0.0.1"


def client(peer: str, **headers: str) -> Client:
    trust = STANDARD if "forwarded" in headers else TRUST
    return find_client(peer, "http", {name.replace("_", "-"): value for name, value in headers.items()}, trust)


def test_without_a_proxy_the_peer_asks_whatever_it_says() -> None:
    assert client("192.0.2.9") == Client("192.0.2.9", "http")
    assert client("192.0.2.9", x_forwarded_for="1.2.3.4", x_forwarded_proto="https") == Client("192.0.2.9", "http")
    assert client("192.0.2.9", forwarded="for=1.2.3.4;proto=https") == Client("192.0.2.9", "http")


def test_a_proxy_of_ours_is_believed() -> None:
    assert client(PROXY, x_forwarded_for="192.0.2.9", x_forwarded_proto="https") == Client("192.0.2.9", "https")
    assert client(PROXY, forwarded='for="[2001:4860::1]:4711";proto=https;by=_us') == Client("2001:4860::1", "https")


def test_what_a_client_put_there_himself_is_passed_over() -> None:
    assert client(PROXY, x_forwarded_for="1.2.3.4, 192.0.2.9").address == "192.0.2.9"
    assert client(PROXY, forwarded="for=1.2.3.4, for=192.0.2.9;proto=http").address == "192.0.2.9"
    assert client(PROXY, forwarded="for=1.2.3.4;proto=https, for=192.0.2.9;proto=http").scheme == "http"


def test_the_header_that_our_proxies_do_not_write_is_passed_over() -> None:
    both = {"forwarded": "for=1.2.3.4;proto=https", "x-forwarded-for": "192.0.2.9"}
    assert find_client(PROXY, "http", both, TRUST) == Client("192.0.2.9", "http")
    assert find_client(PROXY, "http", both, STANDARD) == Client("1.2.3.4", "https")


def test_a_chain_of_our_proxies_is_followed_to_its_end() -> None:
    assert client(PROXY, x_forwarded_for="1.2.3.4, 192.0.2.9, 10.0.0.7, 2001:db8::5").address == "192.0.2.9"
    assert client(PROXY, x_forwarded_for="10.0.0.8").address == "10.0.0.8"


def test_a_scheme_is_said_once_or_for_each_hop() -> None:
    assert client(PROXY, x_forwarded_for="192.0.2.9, 10.0.0.7", x_forwarded_proto="https").scheme == "https"
    assert client(PROXY, x_forwarded_for="192.0.2.9, 10.0.0.7", x_forwarded_proto="https, http").scheme == "https"
    assert client(PROXY, x_forwarded_proto="https") == Client(PROXY, "https")
    assert client(PROXY, x_forwarded_for="192.0.2.9", x_forwarded_proto="gopher").scheme == "http"


@pytest.mark.parametrize("said", ["unknown", "_hidden", "", "not an address", "1.2.3.4.5", "[::1"])
def test_a_hop_that_names_nobody_ends_the_chain(said: str) -> None:
    assert client(PROXY, x_forwarded_for=f"192.0.2.9, {said or '?'}").address == PROXY
    assert client(PROXY, forwarded=f'for=192.0.2.9, for="{said}"').address == PROXY


def test_a_peer_on_a_unix_socket_is_a_proxy_of_ours() -> None:
    assert find_client("", "http", {"x-forwarded-for": "192.0.2.9"}, parse_trust([])) == Client("192.0.2.9", "http")
    assert find_client("", "http", {}, parse_trust([])) == Client("", "http")


def test_an_ipv4_address_in_ipv6_clothes_is_the_same_one() -> None:
    assert client("::ffff:10.0.0.1", x_forwarded_for="::ffff:192.0.2.9").address == "192.0.2.9"


def test_a_port_is_no_part_of_an_address() -> None:
    assert client(PROXY, x_forwarded_for="192.0.2.9:4711").address == "192.0.2.9"


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=50))
def test_nothing_that_is_said_breaks_the_reader(forwarded: str, addresses: str, scheme: str) -> None:
    for headers in ({"forwarded": forwarded}, {"x_forwarded_for": addresses, "x_forwarded_proto": scheme}):
        found = client(PROXY, **headers)
        assert found.scheme in ("http", "https")
        assert found.address == "" or find_client(found.address, "http", {}, TRUST).address == found.address


@given(st.text(max_size=100))
def test_a_stranger_is_never_taken_for_somebody_else(said: str) -> None:
    assert client("192.0.2.9", x_forwarded_for=said, forwarded=said) == Client("192.0.2.9", "http")


@given(st.text(alphabet="for=proto;,\"\\ 1.2.3:[]_'", max_size=60))
def test_the_last_hop_is_ours_to_say_whatever_stands_before_it(said: str) -> None:
    assert client(PROXY, x_forwarded_for=f"{said}, 192.0.2.9").address == "192.0.2.9"
