"""How a server is spoken to, and what a command may hold."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.exchange import Dialect, compose_commands, compose_dsn_options, decide_dialect


def test_what_a_server_offers_decides_how_it_is_spoken_to() -> None:
    assert decide_dialect(frozenset({"pipelining", "chunking"}), 4) == Dialect(True, True, 4)
    assert decide_dialect(frozenset({"pipelining", "chunking"}), 1) == Dialect(True, False, 1)
    assert decide_dialect(frozenset({"pipelining", "size"}), 4) == Dialect(True, False, 1)
    assert decide_dialect(frozenset({"chunking"}), 4) == Dialect(False, True, 1)
    assert decide_dialect(frozenset(), 0) == Dialect(False, False, 1)
    assert decide_dialect(frozenset({"pipelining", "dsn"}), 1) == Dialect(True, False, 1, dsn=True)
    assert decide_dialect(frozenset({"dsn"}), 1) == Dialect(False, False, 1, dsn=True)


def test_commands_hold_addresses_and_options() -> None:
    assert compose_commands("", "a@b.example") == b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n"
    lines = compose_commands("s@b.example", "jörg@b.example", "SIZE=9 SMTPUTF8", "NOTIFY=NEVER")
    assert lines.decode() == "MAIL FROM:<s@b.example> SIZE=9 SMTPUTF8\r\nRCPT TO:<jörg@b.example> NOTIFY=NEVER\r\n"


@pytest.mark.parametrize("bad", ["a\r\nRCPT TO:<x@y>", "a b@c", "a>@c", "<a@c", "a\x00@c", "a\x7f@c", "a\n"])
def test_an_address_cant_end_its_line_early(bad: str) -> None:
    with pytest.raises(ValueError, match="can't stand in an SMTP command"):
        compose_commands(bad, "a@b.example")
    with pytest.raises(ValueError, match="can't stand in an SMTP command"):
        compose_commands("a@b.example", bad)


@pytest.mark.parametrize("bad", ["SIZE=1\r\nDATA", "ä", "\x7f"])
def test_options_cant_end_their_line_early(bad: str) -> None:
    with pytest.raises(ValueError, match="can't be options"):
        compose_commands("a@b.example", "a@b.example", bad)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_any_address_is_told_to_reports_as_it_is(address: str) -> None:
    mail, recipient = compose_dsn_options("token", address)
    assert mail == "RET=HDRS ENVID=token"
    coded = recipient.removeprefix("ORCPT=rfc822;")
    assert "=" not in coded
    assert re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), coded) == address


def test_an_address_in_another_script_is_not_told_to_reports() -> None:
    assert compose_dsn_options("token", "jörg@b.example") == ("RET=HDRS ENVID=token", "")
