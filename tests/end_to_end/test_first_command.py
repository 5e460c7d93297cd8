"""What the README's first command promises: the example goes to an outbox and a site folder."""

import email
import email.policy
import json
import re
from pathlib import Path

import feedparser
import pytest

from newsletter.cli import main
from tests.end_to_end.conftest import Desk

ROOT = Path(__file__).parent.parent.parent


def test_the_example_reaches_outbox_site_and_feeds(desk: Desk) -> None:
    desk.run("subscribers", "add", "you@example.org")
    done = desk.run("publish", "2024-05-25")
    assert "outbox" in done.stdout
    assert "public" in done.stdout
    assert len(desk.mails) == 1
    message = email.message_from_bytes(desk.mails[0].read_bytes(), policy=email.policy.default)
    assert message["Subject"] == "Summary of LLM research papers published on 25 May 2024"
    assert message["To"] == "you@example.org"
    assert (desk.folder / "public/issues/2024-05-25/index.html").is_file()
    for feed in ("feed.xml", "atom.xml"):
        parsed = feedparser.parse((desk.folder / "public" / feed).read_bytes())
        assert not parsed.bozo
        assert len(parsed.entries) == 1
    assert len(json.loads((desk.folder / "public/feed.json").read_text())["items"]) == 1


def test_publishing_again_mails_nobody_and_changes_no_file(published: Desk) -> None:
    # The ledger and the fence beside it note every run.
    kept = [path for path in published.folder.rglob("*") if path.is_file() and path.suffix != ".fence"]
    files = [path for path in kept if not path.name.startswith("newsletter.db")]
    before = {path: path.stat().st_mtime_ns for path in files}
    done = published.run("publish", "2024-05-25", "--json")
    assert json.loads(done.stdout)["mail"]["sent"] == 0
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_a_reader_who_joins_later_does_not_get_the_old_issue(published: Desk) -> None:
    published.run("subscribers", "add", "second@example.org")
    published.run("publish", "2024-05-25")
    assert len(published.mails) == 1


def test_status_proves_the_audit(desk: Desk) -> None:
    desk.run("subscribers", "add", "you@example.org", "me@example.org")
    desk.run("publish", "2024-05-25")
    assert "audience 2 = sent 2 + queued 0" in desk.run("status", "2024-05-25").stdout
    status = json.loads(desk.run("status", "--json").stdout)
    assert status["holds"] is True
    assert status["editions"][0]["audit"]["sent"] == 2


def test_a_changed_file_is_refused_with_the_diff_and_correct_mends_the_site_alone(published: Desk) -> None:
    path = published.folder / "issues/2024-05-25.md"
    path.write_text(path.read_text().replace("title: Summary of", "title: A mended summary of"))
    refused = published.run("publish", "2024-05-25", code=1)
    assert "+title: A mended summary of" in refused.stderr
    assert "--correct" in refused.stderr
    page = published.folder / "public/issues/2024-05-25/index.html"
    assert "A mended summary" not in page.read_text()
    guid = feedparser.parse((published.folder / "public/feed.xml").read_bytes()).entries[0].id
    published.run("publish", "2024-05-25", "--correct")
    assert "A mended summary" in page.read_text()
    assert len(published.mails) == 1
    mended = feedparser.parse((published.folder / "public/feed.xml").read_bytes())
    assert [entry.id for entry in mended.entries] == [guid]
    published.run("publish", "2024-05-25")
    assert len(published.mails) == 1


def test_an_issue_with_an_error_is_not_published_and_says_where(desk: Desk) -> None:
    desk.write("issues/2024-05-26.md", "---\ntitle: T\ndate: 2024-05-27\n---\n\n## News\n\n### [A](notaurl)\n\nText.\n")
    done = desk.run("publish", "2024-05-26", code=1)
    assert re.search(r"issues/2024-05-26\.md:\d+:\d+: error: ", done.stdout)
    assert not (desk.folder / "public").exists()
    assert "There is nothing yet" in desk.run("status", code=1).stderr


def test_a_draft_is_not_published(desk: Desk) -> None:
    path = desk.folder / "issues/2024-05-25.md"
    path.write_text(path.read_text().replace("\ndate: 2024-05-25\n", "\ndate: 2024-05-25\ndraft: true\n"))
    done = desk.run("publish", "2024-05-25", code=1)
    assert re.search(r"2024-05-25\.md:\d+: the issue is a draft", done.stderr)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("publish", "2024-05-31"), 1, "2024-05-25"),
        (("publish",), 2, "DATE|FILE"),
        (("publsh", "2024-05-25"), 2, "publsh"),
        (("new", "31 May"), 2, "2024-05-25"),
        (("--config", "none.toml", "status"), 2, "none.toml"),
        (("status", "2024-05-25"), 1, "There is nothing yet"),
        (("check", "nothing.md"), 1, "nothing.md"),
        (("subscribers", "add", "not an address"), 2, "not an address"),
        (("subscribers", "import", "none.csv"), 2, "none.csv"),
        (("send-test", "2024-05-25", "nobody"), 2, "nobody"),
    ],
)
def test_a_mistake_gets_one_clear_message_and_no_traceback(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    # Without a process for each: that codes and messages leave one is seen above and below.
    monkeypatch.chdir(desk.folder)
    for name in ("NEWSLETTER_CONFIG", "NEWSLETTER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(words) == code
    printed = capsys.readouterr()
    assert says in printed.err + printed.out
    assert "Traceback" not in printed.err


def test_a_wrong_config_names_every_key(desk: Desk) -> None:
    desk.write("config.toml", '[smtp]\nport = "x"\n[issue]\nfolder = "y"\n')
    done = desk.run("publish", "2024-05-25", code=2)
    assert "smtp.port" in done.stderr
    assert "issue: is not a setting; did you mean issues?" in done.stderr


@pytest.mark.parametrize("how", ["slug", "file"])
def test_a_renamed_issue_is_not_mailed_again(published: Desk, how: str) -> None:
    path = published.folder / "issues/2024-05-25.md"
    if how == "slug":
        path.write_text(path.read_text().replace("\ndate: 2024-05-25\n", "\ndate: 2024-05-25\nslug: renamed\n"))
    else:
        path = path.rename(path.with_name("2024-05-25-typo.md"))
    refused = published.run("publish", f"issues/{path.name}", code=1)
    assert "published already, as 2024-05-25" in refused.stderr
    assert len(published.mails) == 1
    published.run("publish", f"issues/{path.name}", "--another")
    assert len(published.mails) == 2


def test_without_readers_nothing_is_final(desk: Desk) -> None:
    first = desk.run("publish", "2024-05-25")
    assert "no readers yet" in first.stdout
    assert (desk.folder / "public/feed.xml").is_file()
    desk.run("subscribers", "add", "you@example.org")
    desk.run("publish", "2024-05-25")
    assert len(desk.mails) == 1


RELAY = """
[publication]
url = "https://news.example.org"
postal_address = "1 Some Street, Some Town"
[mail]
from_address = "news@example.org"
[smtp]
host = "127.0.0.1"
port = 1
tls = "none"
"""


def test_a_slip_mended_before_anybody_was_mailed_is_mended_in_the_mail(desk: Desk) -> None:
    desk.run("subscribers", "add", "you@example.org")
    config = desk.write("config.toml", RELAY)
    assert "can't be reached" in desk.run("publish", "2024-05-25", code=1).stderr
    path = desk.folder / "issues/2024-05-25.md"
    path.write_text(path.read_text().replace("title: Summary of", "title: A mended summary of"))
    assert "as it is now" in desk.run("publish", "2024-05-25", "--correct").stdout
    config.write_text(config.read_text().replace('host = "127.0.0.1"', ""))
    desk.run("publish", "2024-05-25")
    assert b"Subject: A mended summary of" in desk.mails[0].read_bytes()


def test_whoever_is_left_unsent_makes_the_command_fail_and_a_pause_says_so(desk: Desk) -> None:
    desk.run("subscribers", "add", "you@example.org")
    config = desk.write("config.toml", RELAY)
    desk.run("publish", "2024-05-25", code=1)
    desk.run("pause", "2024-05-25")
    config.unlink()
    paused = desk.run("publish", "2024-05-25", code=1)
    assert "paused" in paused.stdout
    assert desk.mails == []
    desk.run("resume", "2024-05-25")
    desk.run("publish", "2024-05-25")
    assert len(desk.mails) == 1


def test_status_names_the_readers_in_a_state(desk: Desk) -> None:
    desk.run("subscribers", "add", "you@example.org", "me@example.org")
    desk.run("publish", "2024-05-25")
    listed = desk.run("status", "2024-05-25", "--list", "sent").stdout.splitlines()
    assert [line.split("\t")[0] for line in listed] == ["you@example.org", "me@example.org"]
    assert desk.run("status", "2024-05-25", "--list", "failed").stdout == ""
    desk.run("status", "--list", "sent", code=2)
