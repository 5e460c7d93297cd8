import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from newsletter.cli.init import command
from newsletter.config import Settings, load_settings
from newsletter.errors import NewsletterError, UsageError

ANSWERS = [
    "The Weekly Bee",
    "All about bees.",
    "https://bees.example.org",
    "en",
    "Europe/Berlin",
    "1 Hive Road, Meadow",
    "",  # the suggested address
    "",  # no relay
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(*lines: str, words: tuple[str, ...] = ()) -> str:
    done = CliRunner().invoke(command, list(words), input="\n".join(lines) + "\n", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_answers_stand_in_the_config_and_the_rest_is_commented(folder: Path) -> None:
    answer(*ANSWERS)
    written = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    assert written["publication"]["title"] == "The Weekly Bee"
    assert written["mail"] == {"from_address": "news@bees.example.org"}
    assert "tls" not in written["smtp"]
    assert load_settings(folder / "config.toml", {}).publication.time_zone == "Europe/Berlin"


def test_a_first_issue_is_written_with_what_to_fill_in(folder: Path) -> None:
    output = answer(*ANSWERS)
    (issue,) = (folder / "issues").iterdir()
    assert "TK" in issue.read_text(encoding="utf-8")
    assert f"newsletter preview {issue.stem}" in output


def test_a_wrong_answer_is_explained_and_asked_again(folder: Path) -> None:
    lines = [*ANSWERS[:2], "bees", *ANSWERS[2:4], "Berlin", *ANSWERS[4:]]
    output = answer(*lines)
    assert "not an http(s) address" in output
    assert "not a time zone name" in output
    assert load_settings(folder / "config.toml", {}).publication.url == "https://bees.example.org"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8471", "http://localhost:8000", "http://[::1]:8000"])
def test_an_address_is_suggested_that_mail_can_come_from(folder: Path, url: str) -> None:
    output = answer(*ANSWERS[:2], url, *ANSWERS[3:6], "news@127.0.0.1", "", "")
    assert "has no domain that mail can come from or go to" in output
    assert load_settings(folder / "config.toml", {}).mail.from_address == Settings().mail.from_address


@pytest.mark.parametrize(
    ("host", "said", "tls", "port"),
    [
        ("smtp.example.org", ("", ""), "starttls", 587),
        ("smtp.example.org", ("implicit", ""), "implicit", 465),
        ("smtp.example.org", ("ssl", "implicit", "2465"), "implicit", 2465),
        ("smtp.example.org", ("starttls", "many", "70000", "2525"), "starttls", 2525),
        ("localhost", ("", ""), "none", 25),
    ],
)
def test_a_relay_is_asked_for_how_it_is_spoken_to(
    folder: Path, host: str, said: tuple[str, ...], tls: str, port: int
) -> None:
    answer(*ANSWERS[:7], host, *said, "bee", "")
    smtp = load_settings(folder / "config.toml", {}).smtp
    assert (smtp.host, smtp.user, smtp.tls, smtp.port) == (host, "bee", tls, port)


def test_where_there_is_a_relay_it_asks_who_is_told(folder: Path) -> None:
    output = answer(*ANSWERS[:7], "localhost", "", "", "", "me", "me@bees.example.org, you@bees.example.org")
    assert output.count("Who is told") == 2
    assert load_settings(folder / "config.toml", {}).alerts.editor == ("me@bees.example.org", "you@bees.example.org")


def test_a_password_in_the_clear_is_not_accepted_silently(folder: Path) -> None:
    output = answer(*ANSWERS[:7], "smtp.example.org", "none", "", "bee", "", "implicit", "")
    assert "would go in the clear" in output
    smtp = load_settings(folder / "config.toml", {}).smtp
    assert (smtp.tls, smtp.port) == ("implicit", 465)


def test_yes_asks_nothing_and_takes_every_default(folder: Path) -> None:
    CliRunner().invoke(command, ["sub/folder", "--yes"], catch_exceptions=False)
    assert tomllib.loads((folder / "sub/folder/config.toml").read_text(encoding="utf-8")) == {
        name: {} for name in Settings.model_fields
    }


def test_nothing_that_is_there_is_overwritten(folder: Path) -> None:
    (folder / "config.toml").write_text("# mine", encoding="utf-8")
    with pytest.raises(NewsletterError, match="there already"):
        CliRunner().invoke(command, [], catch_exceptions=False)
    assert (folder / "config.toml").read_text(encoding="utf-8") == "# mine"


def test_a_relay_with_example_names_is_not_accepted_silently(folder: Path) -> None:
    lines = ["T", "L", "", "", "", "", "", "smtp.example.org", "", "", "", "", ""]
    done = CliRunner().invoke(command, [], input="\n".join(lines) + "\n")
    assert "must be your own" in done.output
    assert not (folder / "config.toml").exists()


def test_where_nobody_answers_it_names_the_way_without_questions(folder: Path) -> None:
    with pytest.raises(UsageError, match="say --yes"):
        CliRunner().invoke(command, [], input="A name\n", catch_exceptions=False)
    assert not (folder / "config.toml").exists()


def test_git_keeps_out_readers_and_keys(folder: Path) -> None:
    answer(words=("--yes",))
    ignored = (folder / ".gitignore").read_text(encoding="utf-8").split("\n")
    wanted = ("newsletter.secret", "newsletter.db*", "outbox/", "journal/", "backups/", "public/", "dkim/")
    assert {f"/{name}" for name in wanted} <= set(ignored)


def test_a_gitignore_that_is_there_stays(folder: Path) -> None:
    (folder / ".gitignore").write_text("mine\n", encoding="utf-8")
    answer(words=("--yes",))
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "mine\n"


def test_the_next_step_can_be_pasted_whatever_the_folder_is_called(folder: Path) -> None:
    assert "cd 'my news' && newsletter preview" in answer(words=("my news", "--yes"))
