"""What runs the service: the systemd unit as systemd reads it, and what the container is made of."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from newsletter.cli import main
from newsletter.config import Alerts, DatabaseSettings, Delivery, Outbox, Publication, Secret, Settings, Site, Web
from newsletter.hosting import compose_unit, find_writable, quote_path, quote_word

ROOT = Path(__file__).parent.parent
CONFIG = Path("/srv/news letter/config.toml")
PROGRAM = Path(sys.executable)  # systemd wants to find it


def settings_in(folder: Path, **changes: object) -> Settings:
    return Settings(
        alerts=Alerts(webhook_secret=folder / "webhook.secret"),
        database=DatabaseSettings(url=f"sqlite:///{folder}/newsletter.db", backups=folder / "backups"),
        delivery=Delivery(journal=folder / "journal"),
        outbox=Outbox(folder=folder / "outbox"),
        secret=Secret(file=folder / "newsletter.secret"),
        site=Site(folder=folder / "public"),
    ).model_copy(update=changes)


def read_unit(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[method-assign,assignment] # names of systemd have capitals
    unit.read_string(text)
    return unit


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        reason = "systemd-analyze isn't installed (Debian's package systemd has it)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must test with it")
        pytest.skip(reason)
    several = [settings_in(Path("/srv/a")), settings_in(Path("/srv/b"), publication=Publication(title="100 % papers"))]
    for name, publications in (("one", several[:1]), ("two", several)):
        path = tmp_path / f"{name}.service"
        path.write_text(compose_unit(PROGRAM, CONFIG, publications))
        done = subprocess.run([program, "verify", "--man=no", path], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_it_may_write_where_the_settings_say_and_nowhere_else() -> None:
    home = CONFIG.parent
    assert find_writable(CONFIG, [settings_in(home)]) == [home]
    elsewhere = settings_in(
        home, site=Site(folder=Path("/var/www/news")), web=Web(socket=Path("/run/newsletter/web.sock"))
    )
    assert find_writable(CONFIG, [elsewhere]) == [Path("/run/newsletter"), home, Path("/var/www/news")]
    unit = compose_unit(PROGRAM, CONFIG, [elsewhere])
    lines = [line for line in unit.splitlines() if line.startswith("ReadWritePaths=")]
    assert lines[1] == 'ReadWritePaths=-"/srv/news letter"'
    assert len(lines) == 3


def test_a_stop_waits_longer_than_what_is_on_the_wire() -> None:
    settings = settings_in(CONFIG.parent, delivery=Delivery(journal=CONFIG.parent / "journal", drain_seconds=300))
    service = read_unit(compose_unit(PROGRAM, CONFIG, [settings]))["Service"]
    assert int(service["TimeoutStopSec"]) > 300 + 30


def test_it_is_watched_where_one_process_can_speak_for_all() -> None:
    one = read_unit(compose_unit(PROGRAM, CONFIG, [settings_in(CONFIG.parent)]))["Service"]
    assert (one["Type"], one["NotifyAccess"], one["WatchdogSec"]) == ("notify", "main", "60")
    many = read_unit(compose_unit(PROGRAM, CONFIG, [settings_in(CONFIG.parent, web=Web(workers=2))]))["Service"]
    assert (many["NotifyAccess"], "WatchdogSec" in many) == ("all", False)


@pytest.mark.parametrize(
    ("path", "in_list", "in_command"),
    [
        ("/srv/news", "/srv/news", "/srv/news"),
        ("/srv/news letter", '"/srv/news letter"', '"/srv/news letter"'),
        ('/srv/"a\\b"', '"/srv/\\"a\\\\b\\""', '"/srv/\\"a\\\\b\\""'),
        ("/srv/100%$x", "/srv/100%%$x", "/srv/100%%$$x"),
    ],
)
def test_a_path_is_one_word(path: str, in_list: str, in_command: str) -> None:
    assert quote_path(Path(path)) == in_list
    assert quote_word(Path(path)) == in_command


def test_the_command_prints_the_unit_of_its_own_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text('[publication]\ntitle = "Papers"\n')
    assert main(["serve", "--print-systemd"]) == 0
    unit = read_unit(capsys.readouterr().out)
    assert unit["Unit"]["Description"] == "Newsletter: Papers"
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "newsletter"
    assert words == ["--config", str(tmp_path / "config.toml"), "serve"]
    assert not (tmp_path / "newsletter.db").exists()


def test_the_container_is_made_of_all_that_a_wheel_is_made_of_and_installed_as_pinned() -> None:
    text = (ROOT / ".container" / "Containerfile").read_text().replace("\\\n", " ")
    steps = re.findall(r"^([A-Z]+) (.*)$", text, re.MULTILINE)
    copied = {word for name, rest in steps if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    needed = {*wheel, project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"}
    assert copied == needed | {".ci/constraints.txt"}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    runs = " ".join(rest for name, rest in steps if name == "RUN")
    assert "uv pip install -q --python /opt/newsletter/bin/python -c /source/constraints.txt /source" in runs
    last = dict(steps)
    assert (last["STOPSIGNAL"], last["USER"], last["VOLUME"]) == ("SIGTERM", "newsletter", "/data")
    assert last["CMD"] == '["serve", "--host", "0.0.0.0", "--port", "8000"]'
    assert last["ENTRYPOINT"] == '["newsletter"]'
