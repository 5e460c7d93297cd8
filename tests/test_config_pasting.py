"""Commands to paste name the config that they are about, wherever they are shown."""

from pathlib import Path

import pytest

from newsletter.cli.commands import COMMANDS
from newsletter.config import load_publications, name_config
from newsletter.config.pasting import COMMANDS as NAMED
from newsletter.errors import ConfigError

CONFIG = Path("/srv/my news/second.toml")
WITH = "newsletter --config '/srv/my news/second.toml'"


@pytest.mark.parametrize(
    "text",
    [
        "newsletter resume 2024-05-25",
        "To go on: newsletter resume 2024-05-25",
        "It is held.\nnewsletter skip 2024-05-25",
        "    newsletter unknown list 2024-05-25",
        "Run `newsletter restore`: readers become unknown.",
        "Add some (newsletter subscribers add ADDRESS)",
        "3 refused, newsletter status 2024-05-25 says why",
        "→ newsletter publish 2024-05-25, or let it be: newsletter skip 2024-05-25",
        "newsletter resume 2024-05-25 && newsletter publish 2024-05-25",
    ],
)
def test_every_command_names_the_config_once(text: str) -> None:
    named = name_config(text, CONFIG)
    assert named == text.replace("newsletter ", f"{WITH} ")
    assert name_config(named, CONFIG) == named


@pytest.mark.parametrize(
    "text",
    [
        "Our newsletter site is new",
        "newsletter: not published",
        "A title: newsletter of the week",
        "`newsletter init` writes one",
        "see newsletter.secret",
        "`newsletter restored`",
    ],
)
def test_what_is_no_command_about_a_config_stays(text: str) -> None:
    assert name_config(text, CONFIG) == text


def test_the_config_of_the_working_folder_needs_no_name() -> None:
    assert name_config("`newsletter restore`", None) == "`newsletter restore`"


def test_every_command_but_the_one_that_writes_a_config_is_known() -> None:
    assert set(NAMED) == set(COMMANDS) - {"init"}


def test_each_of_several_publications_knows_its_own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(f'[database]\nurl = "sqlite:///{name}.db"\n')
    (tmp_path / "all.toml").write_text('[serve]\npublications = ["one.toml", "two.toml"]\n')
    found = load_publications(tmp_path / "all.toml", {})
    assert [settings.file for settings in found] == [tmp_path / "one.toml", tmp_path / "two.toml"]
    monkeypatch.chdir(tmp_path)
    assert load_publications(None, {})[0].file is None
    assert load_publications(Path("one.toml"), {})[0].file == tmp_path / "one.toml"
    with pytest.raises(ConfigError, match="`newsletter init` writes one"):
        load_publications(Path("three.toml"), {})
