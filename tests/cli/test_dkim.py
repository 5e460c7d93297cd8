import socket
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import dns.message
import dns.rcode
import dns.rrset
import dns.zone
import pytest

from newsletter.cli import main
from newsletter.config import load_settings
from newsletter.mail.dkim import compose_record
from newsletter.signing import load_signing_keys


class NameServer:
    """Answers for TXT records from a dict, on a free port; `broken` makes it refuse every question."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}
        self.broken = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = str(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, client = self._socket.recvfrom(4096)
            if not wire:
                return
            self._socket.sendto(self._answer(dns.message.from_wire(wire)).to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        name = query.question[0].name
        value = self.records.get(str(name).rstrip("."))
        if self.broken:
            reply.set_rcode(dns.rcode.REFUSED)
        elif value is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            strings = " ".join(f'"{value[start : start + 200]}"' for start in range(0, len(value), 200))
            reply.answer.append(dns.rrset.from_text(name, 300, "IN", "TXT", strings))
        return reply


@pytest.fixture
def server() -> Iterator[NameServer]:
    running = NameServer()
    yield running
    running.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEWSLETTER_CONFIG", raising=False)
    (tmp_path / "config.toml").write_text('[mail]\nfrom_address = "news@example.org"\n')
    return tmp_path


def paste_settings(home: Path, printed: str) -> None:
    """Do what step 3 says."""
    table = printed[printed.index("    [dkim]") : printed.index("4. ")]
    with (home / "config.toml").open("a") as file:
        file.write(dedent(table))


def publish(home: Path, server: NameServer, printed: str) -> None:
    """Do what step 2 says, with the value that a provider's form gets."""
    names = [line.split(maxsplit=1)[1] for line in printed.splitlines() if line.startswith("    Name: ")]
    values = [line.split(maxsplit=1)[1] for line in printed.splitlines() if line.startswith("    Value: ")]
    server.records = dict(zip(names, values, strict=True))


def test_what_keygen_prints_is_what_check_wants(
    home: Path, server: NameServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dkim", "keygen", "--selector", "news", "--ed25519"]) == 0
    printed = capsys.readouterr().out
    paste_settings(home, printed)
    publish(home, server, printed)
    assert sorted(server.records) == ["news-ed25519._domainkey.example.org", "news._domainkey.example.org"]
    assert main(["dkim", "check", "--server", "127.0.0.1", "--port", server.port]) == 0
    assert capsys.readouterr().out.count("published, and fits the key") == 2


def test_the_zone_file_lines_mean_the_same_as_the_form(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["dkim", "keygen", "--selector", "news"])
    printed = capsys.readouterr().out
    lines = printed[printed.index("news._domainkey") : printed.index("\n)\n") + 3]
    zone = dns.zone.from_text(f"$TTL 300\n{lines}", "example.org", check_origin=False)
    strings = zone.find_rdataset("news._domainkey", "TXT")[0].strings
    value = printed.partition("Value: ")[2].partition("\n")[0]
    assert b"".join(strings).decode() == value


def test_the_pasted_settings_load_the_key_that_is_printed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["dkim", "keygen", "--out", "keys", "--domain", "Mail.Example.org"])
    printed = capsys.readouterr().out
    paste_settings(home, printed)
    settings = load_settings(home / "config.toml", {})
    keys = load_signing_keys(settings.dkim, settings.mail.from_address)
    assert keys
    assert keys.domain == "mail.example.org"
    assert compose_record(keys.rsa.private) in printed
    assert not keys.ed25519
    assert tomllib.loads((home / "config.toml").read_text())["dkim"]["key_file"].startswith("keys/newsletter-")


def test_no_private_key_is_printed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["dkim", "keygen", "--ed25519", "--selector", "news"])
    said = "".join(capsys.readouterr())
    for file in (home / "dkim").iterdir():
        assert "PRIVATE KEY" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        assert not [line for line in file.read_text().splitlines() if line in said]


def test_keygen_writes_over_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dkim", "keygen", "--selector", "news"]) == 0
    before = (home / "dkim" / "news.pem").read_bytes()
    assert main(["dkim", "keygen", "--selector", "news", "--ed25519"]) == 1
    assert "Choose another --selector" in capsys.readouterr().err
    assert [path.name for path in (home / "dkim").iterdir()] == ["news.pem"]
    assert (home / "dkim" / "news.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--selector", "a b"], "dkim.selector: is not a DKIM selector"),
        (["--selector", "../../etc/news"], "dkim.selector: is not a DKIM selector"),
        (["--domain", "example"], "dkim.domain: is not a domain"),
    ],
)
def test_a_name_that_cannot_stand_in_the_dns_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["dkim", "keygen", *words]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in home.iterdir()] == ["config.toml"]


def test_the_examples_domain_is_nobodys_to_sign_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").write_text("")
    assert main(["dkim", "keygen"]) == 2
    assert "Which domain signs?" in capsys.readouterr().err


def test_check_shows_the_record_that_should_be_there(
    home: Path, server: NameServer, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["dkim", "keygen", "--selector", "news"])
    printed = capsys.readouterr().out
    paste_settings(home, printed)
    assert main(["dkim", "check", "--server", "127.0.0.1", "--port", server.port]) == 1
    said = capsys.readouterr().out
    assert "There is no DKIM record" in said
    assert printed[printed.index("news._domainkey") : printed.index("\n)\n")] in said


def test_check_notices_the_record_of_another_key(
    home: Path, server: NameServer, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["dkim", "keygen", "--selector", "news", "--out", "old"])
    publish(home, server, capsys.readouterr().out)
    main(["dkim", "keygen", "--selector", "news"])
    paste_settings(home, capsys.readouterr().out)
    assert main(["dkim", "check", "--server", "127.0.0.1", "--port", server.port]) == 1
    assert "another key" in capsys.readouterr().out


def test_no_answer_is_not_taken_for_no_record(
    home: Path, server: NameServer, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["dkim", "keygen", "--selector", "news"])
    paste_settings(home, capsys.readouterr().out)
    server.broken = True
    assert main(["dkim", "check", "--server", "127.0.0.1", "--port", server.port]) == 1
    assert "The DNS gives no answer about news._domainkey.example.org" in capsys.readouterr().err


def test_check_wants_a_key_and_a_server_by_number(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dkim", "check"]) == 1
    assert "`newsletter dkim keygen` makes one" in capsys.readouterr().err
    main(["dkim", "keygen"])
    paste_settings(home, capsys.readouterr().out)
    assert main(["dkim", "check", "--server", "ns.example.org"]) == 2
    assert "'ns.example.org' is not an IP address" in capsys.readouterr().err
