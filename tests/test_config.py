import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from newsletter.config import Settings, load_settings, parse_settings, render_config
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
    assert "can't be read" in problems_of(path)[""]


def test_paths_are_relative_to_the_config(tmp_path: Path) -> None:
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
