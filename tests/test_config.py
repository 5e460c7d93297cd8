import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from newsletter.config import DomainPace, Relay, Settings, load_settings, parse_settings, render_config
from newsletter.errors import ConfigError

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    return dict(caught.value.problems)


def keys() -> list[tuple[str, str, object]]:
    found = []
    for table, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        found += [(table, key, item.default) for key, item in model.model_fields.items()]
    return found


def test_the_example_is_what_the_program_would_write() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == render_config()


def test_the_example_holds_every_key_once_and_nothing_else() -> None:
    named = []
    table = ""
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            table = header[1]
        elif setting := re.match(r"# (\w+) = ", line):
            named.append((table, setting[1]))
    assert named == [(table, key) for table, key, _ in keys()]


def test_the_example_as_it_stands_changes_nothing() -> None:
    assert parse_settings(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")), "example") == Settings()


def test_every_commented_value_of_the_example_is_the_default() -> None:
    text = re.sub(r"(?m)^# (\w+ = )(?!\"PATH\")", r"\1", EXAMPLE.read_text(encoding="utf-8"))
    raw = tomllib.loads(text)
    assert sum(len(table) for table in raw.values()) == sum(default is not None for _, _, default in keys())
    assert parse_settings(raw, "example") == Settings()


def test_every_key_says_what_it_is_for() -> None:
    for table, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        assert model.__doc__, table
        for key, item in model.model_fields.items():
            assert item.description, f"{table}.{key}"


def test_the_example_tells_every_key_of_an_entry_with_its_default_and_what_it_is_for() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for entry in (Relay, DomainPace):
        for key, item in entry.model_fields.items():
            assert item.description, key
            told = [line for line in lines if line.startswith(f"#   {key} = ")]
            assert told, key
            if isinstance(item.default, int):
                assert any(line.startswith(f"#   {key} = {item.default}: ") for line in told)


def test_truth_is_spelt_as_toml_spells_it() -> None:
    assert tomllib.loads(render_config({("pace", "adapt"): False}))["pace"] == {"adapt": False}


RELAYED = """
[publication]
url = "https://news.example.org"
postal_address = "1 Street"
[mail]
from_address = "news@example.org"
[smtp]
host = "a.example.org"
relays = [{host = "b.example.org", port = 25, user = "ann", password_file = "pw", weight = 3}]
[pace]
per_hour = 1000
domains = [{name = "Example.COM", per_second = 5, connections = 2}]
"""


def test_more_relays_and_domains_stand_in_arrays(tmp_path: Path) -> None:
    (tmp_path / "pw").touch()
    settings = load_settings(write(tmp_path, RELAYED), {})
    (relay,) = settings.smtp.relays
    assert (relay.host, relay.port, relay.weight, relay.connections) == ("b.example.org", 25, 3, 10)
    assert relay.password_file == tmp_path / "pw"
    (domain,) = settings.pace.domains
    assert (domain.name, domain.per_second, domain.per_hour, domain.connections) == ("example.com", 5, 0, 2)


def test_a_problem_in_an_entry_is_named_by_its_place(tmp_path: Path) -> None:
    text = RELAYED.replace("weight = 3", "wieght = 3").replace("per_second = 5", 'per_second = "5"')
    problems = problems_of(write(tmp_path, text))
    assert set(problems) == {"smtp.relays[0].wieght", "pace.domains[0].per_second"}
    assert "did you mean weight?" in problems["smtp.relays[0].wieght"]


def test_a_relay_or_a_domain_is_named_once(tmp_path: Path) -> None:
    twice = RELAYED.replace("b.example.org", "a.example.org").replace("port = 25", "port = 587")
    assert "names one relay (host and port) twice" in problems_of(write(tmp_path, twice))["smtp"]
    doubled = RELAYED.replace("connections = 2}", 'connections = 2}, {name = "example.com"}')
    assert "names a domain twice" in problems_of(write(tmp_path, doubled))["pace"]
    headless = RELAYED.replace('host = "a.example.org"', "")
    assert "has relays but no host" in problems_of(write(tmp_path, headless))["smtp"]


@pytest.mark.parametrize(
    ("written", "hubs"),
    [
        ('"https://hub.example/"', ("https://hub.example/",)),
        ('""', ()),
        (
            '["https://hub.example/publish?a=1", "http://b.example"]',
            ("https://hub.example/publish?a=1", "http://b.example"),
        ),
    ],
)
def test_a_hub_is_one_address_or_a_list_of_them(tmp_path: Path, written: str, hubs: tuple[str, ...]) -> None:
    assert load_settings(write(tmp_path, f"[site]\nhub = {written}\n"), {}).site.hub == hubs


def test_answers_stand_uncommented_among_the_defaults() -> None:
    text = render_config({("publication", "title"): 'A "quoted" name'})
    assert tomllib.loads(text)["publication"] == {"title": 'A "quoted" name'}


def test_all_problems_are_told_at_once_with_their_key(tmp_path: Path) -> None:
    path = write(tmp_path, '[smtp]\nhsot = "x"\nport = "587"\n[mail]\nfrom_address = "nobody"\n[fred]\nx = 1\n')
    problems = problems_of(path)
    assert set(problems) == {"smtp.hsot", "smtp.port", "mail.from_address", "fred"}
    assert "did you mean host?" in problems["smtp.hsot"]
    assert "like editor@example.org" in problems["mail.from_address"]


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ('publication = {url = "ftp://x.example"}', "publication.url"),
        ('publication = {url = "https://x.example/?a=b"}', "publication.url"),
        ('publication = {url = "https://ann:pw@x.example"}', "publication.url"),
        ('publication = {url = "https://x.example/<b>"}', "publication.url"),
        ("publication = {url = 'https://x.example/\"'}", "publication.url"),
        ("issues = {labels = []}", "issues.labels"),
        ('issues = {labels = ["Why?", " ?"]}', "issues.labels"),
        ('issues = {labels = ["Why?", "why"]}', "issues.labels"),
        ('issues = {labels = ["Authors:"]}', "issues.labels"),
        ('site = {folder = ""}', "site.folder"),
        ('site = {hub = "ftp://hub.example/"}', "site.hub[0]"),
        ('site = {hub = ["https://user:pw@hub.example/"]}', "site.hub[0]"),
        ("site = {hub = 5}", "site.hub"),
        ('smtp = {password_file = " "}', "smtp.password_file"),
        ('delivery = {journal = "a\\u0000b"}', "delivery.journal"),
        ('database = {url = "mysql://u:pw@h/x"}', "database.url"),
        ('database = {url = "sqlite:///:memory:"}', "database.url"),
        ('database = {url = "sqlite://"}', "database.url"),
        ('publication = {language = "english!"}', "publication.language"),
        ('publication = {time_zone = "Mars/Base"}', "publication.time_zone"),
        ('publication = {title = "two\\nlines"}', "publication.title"),
        ('mail = {from_name = "a\\r\\nBcc: x@y.example"}', "mail.from_name"),
        ('mail = {bounce_domain = "not a domain"}', "mail.bounce_domain"),
        ('dkim = {selector = "a b", key_file = "k"}', "dkim.selector"),
        ('dkim = {selector = "news"}', "dkim"),
        ('dkim = {key_file = "k"}', "dkim"),
        ('dkim = {domain = "example.org"}', "dkim"),
        ('dkim = {ed25519_selector = "e", ed25519_key_file = "k"}', "dkim"),
        ('dkim = {selector = "a", key_file = "k", ed25519_selector = "A", ed25519_key_file = "e"}', "dkim"),
        ("smtp = {port = 70000}", "smtp.port"),
        ('smtp = {tls = "maybe"}', "smtp.tls"),
        ("delivery = {patience_hours = 0}", "delivery.patience_hours"),
        ("delivery = {first_share = 1.0}", "delivery.first_share"),
        ("delivery = {halt_after = 1}", "delivery.halt_after"),
        ("delivery = {halt_share = 1.5}", "delivery.halt_share"),
        ('delivery = {seeds = ["me"]}', "delivery.seeds[0]"),
        ("issues = {html_warn_kb = 200}", "issues.html_warn_kb"),
    ],
)
def test_a_bad_value_is_named_by_its_key(tmp_path: Path, toml: str, key: str) -> None:
    assert key in problems_of(write(tmp_path, toml))


def test_a_warning_size_above_the_error_size_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "[issues]\nhtml_warn_kb = 80\nhtml_error_kb = 60\n")
    assert "issues.html_warn_kb" in next(iter(problems_of(path).values()))


def test_a_relay_wants_names_that_are_not_the_examples(tmp_path: Path) -> None:
    path = write(tmp_path, '[smtp]\nhost = "mail.example.org"\n')
    assert set(problems_of(path)) == {"publication.url", "publication.postal_address", "mail.from_address"}


def test_broken_toml_and_a_missing_file_are_told_plainly(tmp_path: Path) -> None:
    assert "not valid TOML" in problems_of(write(tmp_path, "[smtp\n"))[""]
    assert "newsletter init" in problems_of(tmp_path / "none.toml")[""]


def test_a_file_that_is_not_utf8_is_told_plainly(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'[mail]\nfrom_name = "\xff"\n')
    assert problems_of(path)[""] == "can't be read: line 2 is not UTF-8 text; save the file as UTF-8"


def test_a_byte_order_mark_is_no_part_of_the_config(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'\xef\xbb\xbf[site]\r\nfolder = "www"\r\n')
    assert load_settings(path, {}).site.folder == tmp_path / "www"


def test_files_that_are_missing_are_told_together_with_all_other_problems(tmp_path: Path) -> None:
    text = """
[smtp]
port = "587"
password_file = "pw"
ca_file = "ca.pem"
[templates]
folder = "mine"
[site]
folder = "."
"""
    problems = problems_of(write(tmp_path, text))
    assert set(problems) == {"smtp.port", "smtp.password_file", "smtp.ca_file", "templates.folder", "site.folder"}
    assert str(tmp_path / "pw") in problems["smtp.password_file"]


def test_a_wrong_database_url_is_not_repeated_with_its_password(tmp_path: Path) -> None:
    path = write(tmp_path, '[database]\nurl = "mysql://u:geheim@h/x"\n')
    assert "geheim" not in problems_of(path)["database.url"]


@pytest.mark.parametrize(
    "text",
    [
        'site = {folder = "."}\n',
        'site = {folder = ".."}\n',
        'site = {folder = "issues"}\n',
        'site = {folder = "issues/www"}\n',
        'site = {folder = "outbox/www"}\n',
        'site = {folder = "link"}\n',
        'site = {folder = "www"}\ndatabase = {url = "sqlite:///www/news.db"}\n',
        'site = {folder = "www"}\ndatabase = {backups = "www/old"}\n',
        'site = {folder = "www"}\nsecret = {file = "www/key"}\n',
        'site = {folder = "www"}\ndelivery = {journal = "www/journal"}\n',
        'site = {folder = "www"}\ntemplates = {folder = "www"}\n',
    ],
)
def test_the_site_never_holds_what_the_world_must_not_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    assert set(problems_of(write(tmp_path, text))) == {"site.folder"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.9", "::1"])
def test_a_password_in_the_clear_stays_on_this_machine(tmp_path: Path, host: str) -> None:
    text = RELAYED.replace("relays =", 'tls = "none"\nuser = "ann"\nrelays =').replace(', password_file = "pw"', "")
    assert set(problems_of(write(tmp_path, text))) == {"smtp.tls"}
    local = write(tmp_path, text.replace("a.example.org", host))
    assert load_settings(local, {}).smtp.tls == "none"
    further = RELAYED.replace("port = 25", 'port = 25, tls = "none"').replace(', password_file = "pw"', "")
    assert set(problems_of(write(tmp_path, further))) == {"smtp.relays[0].tls"}


def test_paths_are_relative_to_the_config(tmp_path: Path) -> None:
    (tmp_path / "pw").touch()
    settings = load_settings(write(tmp_path, '[site]\nfolder = "www"\n[smtp]\npassword_file = "pw"\n'), {})
    assert settings.site.folder == tmp_path / "www"
    assert settings.smtp.password_file == tmp_path / "pw"
    assert settings.database.url == f"sqlite:///{tmp_path}/newsletter.db"


def test_the_environment_names_the_database_before_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[database]\nurl = "sqlite:///x.db"\n')
    settings = load_settings(path, {"NEWSLETTER_DATABASE_URL": "postgresql://me@db/news"})
    assert settings.database.url == "postgresql://me@db/news"


def test_settings_cant_be_changed(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), {})
    with pytest.raises(ValueError, match="frozen"):
        settings.smtp.port = 25  # type: ignore[misc] # that it is an error is the point
