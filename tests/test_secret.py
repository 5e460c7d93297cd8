"""Secrets: made once, agreed on, complained about by name, and never shown."""

import logging
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from newsletter.config import Smtp
from newsletter.errors import NewsletterError, UsageError
from newsletter.secret import load_password, load_secret, load_secrets


def test_a_key_is_made_at_first_use_readable_by_its_owner_only_and_then_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "newsletter.secret"
    key = load_secret(path)
    assert len(key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(path) == key
    assert load_secret(tmp_path / "other") != key
    assert [entry.name for entry in path.parent.iterdir()] == ["newsletter.secret"]


def test_processes_that_come_first_at_once_agree(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.secret"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        keys = pool.map(load_secret, [path] * 16, chunksize=1)
    assert len(set(keys)) == 1


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"\n \n", "empty"), (b"short\n", "too short")])
def test_a_key_too_short_to_protect_anything_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "newsletter.secret"
    path.write_bytes(content)
    with pytest.raises(NewsletterError, match=f"newsletter.secret: .* is {reason}") as caught:
        load_secret(path)
    assert "short\n" not in str(caught.value)


def test_a_new_key_goes_before_the_old_one_which_stays_valid(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.secret"
    old = load_secret(path)
    path.write_bytes(b"n" * 64 + b"\r\n\n  " + old + b"\n" + b"n" * 64 + b"\n")
    assert load_secrets(path) == (b"n" * 64, old)
    assert load_secret(path) == b"n" * 64


def test_one_short_key_among_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.secret"
    path.write_bytes(b"n" * 64 + b"\nshort\n")
    with pytest.raises(NewsletterError, match="a key that signs personal links is too short"):
        load_secrets(path)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 5000)
    with pytest.raises(NewsletterError, match="larger than 4096 bytes"):
        load_secret(tmp_path / "big")
    with pytest.raises(NewsletterError, match="can't be read: Is a directory"):
        load_secret(tmp_path)


def test_a_key_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NewsletterError, match="can't be made: "):
        load_secret(tmp_path / "file" / "newsletter.secret")


def test_a_key_that_others_can_read_is_warned_of_and_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "newsletter.secret"
    key = load_secret(path)
    with caplog.at_level(logging.WARNING):
        load_secret(path)
        assert caplog.text == ""
        path.chmod(0o644)
        assert load_secret(path) == key
    assert f"chmod 600 {path}" in caplog.text
    assert key.decode() not in caplog.text


def test_the_password_comes_from_the_environment_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("from file\n")
    smtp = Smtp(host="relay.test", user="ann", password_file=path)
    assert load_password(smtp, {"NEWSLETTER_SMTP_PASSWORD": "from environment"}) == "from environment"
    assert load_password(smtp, {}) == "from file"


def test_without_a_user_no_password_is_looked_for(tmp_path: Path) -> None:
    smtp = Smtp(host="relay.test", password_file=tmp_path / "gone")
    assert load_password(smtp, {"NEWSLETTER_SMTP_PASSWORD": "secret"}) == ""


def test_a_password_that_cannot_be_found_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"set NEWSLETTER_SMTP_PASSWORD or smtp\.password_file"):
        load_password(Smtp(host="relay.test", user="ann"), {})
    with pytest.raises(NewsletterError, match=r"gone: smtp\.password_file can't be read: No such file"):
        load_password(Smtp(host="relay.test", user="ann", password_file=tmp_path / "gone"), {})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(NewsletterError, match="is empty; write the password into it"):
        load_password(Smtp(host="relay.test", user="ann", password_file=tmp_path / "empty"), {})
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(NewsletterError, match="is not UTF-8"):
        load_password(Smtp(host="relay.test", user="ann", password_file=tmp_path / "binary"), {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.secret"
    load_secret(path)
    path.chmod(0)
    with pytest.raises(NewsletterError, match="can't be read: Permission denied"):
        load_secret(path)
