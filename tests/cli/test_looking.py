"""Commands that only look, in a folder where nothing was begun: they say so and how to begin, and make nothing."""

from pathlib import Path

import pytest

from newsletter.cli import main
from tests.cli.conftest import Office


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "--json"),
        ("status", "2024-05-25"),
        ("subscribers", "list"),
        ("subscribers", "list", "--count"),
        ("subscribers", "show", "a@example.org"),
        ("subscribers", "export"),
        ("subscribers", "export", "readers.csv"),
        ("subscribers", "export-one", "a@example.org", "a.json"),
        ("unknown", "list"),
        ("bounces", "list"),
        ("bounces", "show", "1"),
        ("notices", "list"),
        ("pause", "2024-05-25"),
        ("cancel", "2024-05-25", "--yes"),
        ("backup",),
    ],
    ids=" ".join,
)
def test_who_only_looks_makes_nothing_and_is_told_how_to_begin(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEWSLETTER_DATABASE_URL", raising=False)
    assert main(words) == 1
    said = capsys.readouterr()
    assert f"There is nothing yet: {tmp_path}/newsletter.db isn't there. `newsletter init` writes" in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_of_several_publications_those_that_have_not_begun_are_named(office: Office) -> None:
    office.publish(1)
    for name in ("newsletter", "two"):
        own = f'[publication]\ntitle = "Paper {name}"\n[database]\nurl = "sqlite:///{name}.db"\n'
        Path(f"{name}.toml").write_text(own)
    Path("config.toml").write_text('[serve]\npublications = ["newsletter.toml", "two.toml"]\n')
    said = office.run("status")
    assert "Paper two: there is nothing yet." in said
    assert "audience 1 = " in said
    assert not Path("two.db").exists()
