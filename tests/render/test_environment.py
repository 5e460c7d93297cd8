"""Templates: how they are found, overridden, and blamed."""

from pathlib import Path

import pytest

from newsletter.errors import NewsletterError, UsageError
from newsletter.render.environment import load_environment, render_template


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "email").mkdir()
    return tmp_path


def blame_for(folder: Path, source: str) -> str:
    (folder / "email" / "mine.html").write_text(source)
    with pytest.raises(NewsletterError) as caught:
        render_template(load_environment(folder), "email/mine.html", {"title": "x"})
    return str(caught.value)


def test_a_users_file_goes_before_the_built_in_one(folder: Path) -> None:
    (folder / "email" / "inline.css").write_text("mine")
    environment = load_environment(folder)
    assert render_template(environment, "email/inline.css", {}) == "mine"
    assert "mine" not in render_template(environment, "default:email/inline.css", {})


def test_everything_but_plain_text_is_escaped(folder: Path) -> None:
    for name in ("a.html", "a.html.jinja", "a.xml", "a.txt"):
        (folder / name).write_text("{{ title }}")
    environment = load_environment(folder)
    shown = [
        render_template(environment, name, {"title": "<"}) for name in ("a.html", "a.html.jinja", "a.xml", "a.txt")
    ]
    assert shown == ["&lt;", "&lt;", "&lt;", "<"]


def test_a_syntax_error_is_named_with_file_and_line(folder: Path) -> None:
    assert "email/mine.html:2: this is not a valid template" in blame_for(folder, "\n{% if %}")


def test_an_undefined_name_is_named_with_file_and_line(folder: Path) -> None:
    assert "email/mine.html:3: the template can't be rendered: 'titel' is undefined" in blame_for(
        folder, "\n\n{{ titel }}"
    )


def test_the_innermost_template_is_blamed(folder: Path) -> None:
    (folder / "email" / "part.html").write_text("\n{{ 1 / 0 }}")
    assert "email/part.html:2: the template can't be rendered: division by zero" in blame_for(
        folder, "{% include 'email/part.html' %}"
    )


def test_a_missing_template_is_named_with_the_nearest_there_is(folder: Path) -> None:
    message = blame_for(folder, '{% extends "email/isue.html" %}')
    assert "email/mine.html:1: there is no template email/isue.html; did you mean email/issue.html?" in message


def test_a_template_that_extends_itself_is_told_how_to_extend_the_built_in_one(folder: Path) -> None:
    assert '{% extends "default:email/mine.html" %}' in blame_for(folder, '{% extends "email/mine.html" %}')


def test_a_template_in_another_encoding_is_named(folder: Path) -> None:
    (folder / "email" / "mine.html").write_bytes(b"caf\xe9")
    with pytest.raises(NewsletterError, match=r"email/mine.html: the template is not UTF-8"):
        render_template(load_environment(folder), "email/mine.html", {})


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"templates\.folder: .*nowhere is not a folder"):
        load_environment(tmp_path / "nowhere")
