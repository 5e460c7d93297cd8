"""The import law of ARCHITECTURE.md, walked over the real source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "newsletter"

GROUND = {"errors", "model", "config", "markup", "sanitise", "urls"}
"""What everything may stand on."""

MAY_IMPORT: dict[str, set[str]] = {
    "model": {"model"},
    "errors": {"model"},
    "config": {"config", "errors"},
    "markup": set(),
    "sanitise": set(),
    "urls": {"model"},
    "secret": {"errors", "config"},
    "signing": GROUND | {"mail", "secret"},
    "issues": GROUND | {"issues"},
    "render": GROUND | {"render", "search"},  # of search, the version of its words
    "mail": {"model", "errors", "mail", "urls"},
    "search": {"model", "search", "issues"},  # of issues, a work's identifier
    "store": {"model", "errors", "store", "mail", "search"},  # of mail, an address's key; search is pure
    "audience": GROUND | {"audience", "mail", "store"},
    "delivery": GROUND | {"delivery", "mail", "store", "secret", "logs"},
    "bounces": GROUND | {"bounces", "logs", "mail", "store"},
    "operators": GROUND | {"operators", "mail", "store"},
    "logs": set(),
    "schedule": GROUND
    | {"schedule", "logs", "app", "committing", "publishing", "notifying", "restoring", "rollups", "telling"}
    | {"indexing", "issues", "store", "mail", "secret", "delivery", "audience", "bounces", "systemd"},
    "systemd": set(),
    "hosting": {"config"},
    "site": GROUND | {"site", "issues", "render"},
    "hubs": {"model"},
    "telling": GROUND | {"site", "hubs"},
    "app": GROUND
    | {"audience"}
    | {"bounces"}
    | {"delivery"}
    | {"issues"}
    | {"mail"}
    | {"render"}
    | {"secret"}
    | {"signing"}
    | {"store"},
    "indexing": GROUND | {"app", "issues", "render", "store"},
    "committing": GROUND | {"app", "indexing", "render", "store", "mail"},
    "publishing": GROUND | {"app", "committing", "issues", "render", "site", "store", "delivery", "mail", "telling"},
    "rehearsing": GROUND | {"app", "committing", "publishing", "issues", "store", "delivery"},
    "rollups": GROUND | {"app", "committing", "publishing", "issues", "render", "store", "delivery", "mail"},
    "notifying": GROUND | {"app", "delivery", "render"},
    "restoring": GROUND | {"app", "store", "delivery"},
    "surveying": GROUND | {"store"},
    "previewing": GROUND | {"app", "publishing", "issues", "render", "site", "web"},
    "web": GROUND
    | {"web", "audience", "bounces", "store", "render", "mail", "search", "secret"}
    | {"watching", "metrics", "operators", "surveying"},
    "watching": GROUND | {"schedule", "store"},
    "metrics": {"model", "watching", "__init__"},
    "daemon": GROUND | {"web"},
    "serving": GROUND
    | {"app", "bounces", "issues", "render", "daemon", "notifying", "publishing", "indexing", "site", "web"}
    | {"schedule", "systemd"},
    "cli": GROUND
    | {"app"}
    | {"audience"}
    | {"bounces"}
    | {"cli"}
    | {"daemon"}
    | {"indexing"}
    | {"issues"}
    | {"mail"}
    | {"notifying", "operators"}
    | {"previewing"}
    | {"publishing", "rehearsing"}
    | {"rollups"}
    | {"restoring"}
    | {"schedule", "delivery", "logs", "systemd", "watching", "hosting"}
    | {"serving"}
    | {"signing"}
    | {"site"}
    | {"store"}
    | {"telling"}
    | {"web"},
    "__main__": {"cli"},
    "__init__": set(),
}

PURE = (
    "mail",
    "search",
    "issues/parse",
    "issues/check",
    "delivery/policy",
    "delivery/stages",
    "audience/policy",
    "bounces/policy",
    "operators/policy",
    "config/times",
    "schedule/calendar",
    "schedule/policy",
    "schedule/policy_troubles",
    "schedule/silence",
)
WORLDLY = {"socket", "subprocess", "sqlite3", "urllib.request", "asyncio", "random", "time", "shutil", "tempfile", "os"}

ONE_DOOR: dict[str, str | tuple[str, ...]] = {
    "argon2": "operators/passwords.py",
    "feedgen": "render/feed.py",
    "aiosmtplib": "delivery/",
    "markdown_it": "markup.py",
    "mdit_py_plugins": "markup.py",
    "nh3": "sanitise.py",
    "css_inline": "render/",
    "sqlalchemy": "store/",
    "structlog": "logs.py",
    "apscheduler": "schedule/clock.py",
    "prometheus_client": "metrics.py",
    "alembic": "store/",
    "babel": "render/translation.py",
    "starlette": "web/",
    "uvicorn": ("daemon.py", "web/protocol.py", "cli/preview.py"),
    "click": "cli/",
    "rich": "cli/",
    "dns": "signing.py",
    "email_validator": "mail/address.py",
    "flufl": "mail/reports/fallback.py",
    "yaml": "issues/",
    "imap_tools": "bounces/mailbox.py",
    "aiosmtpd": "bounces/listener.py",
    "unicodeit": "render/",
    "latex2mathml": "render/",
    "brotli": "site/compress.py",
    "jinja2": "",
}


def modules() -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.module or ""


def slice_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    allowed = MAY_IMPORT[slice_of(path)]
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("newsletter.")}
    assert ours <= allowed, f"{path} imports {sorted(ours - allowed)}"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_library_enters_by_one_door(path: Path) -> None:
    for name in imports_of(path):
        door = ONE_DOOR.get(name.split(".")[0], "")
        assert str(path).startswith(door), f"{path} imports {name}; its door is {door}"


@pytest.mark.parametrize("path", [path for path in modules() if str(path).startswith(PURE)], ids=str)
def test_a_pure_module_touches_no_world(path: Path) -> None:
    assert not WORLDLY & set(imports_of(path))


def test_every_door_is_used() -> None:
    used = {name.split(".")[0] for path in modules() for name in imports_of(path)}
    assert set(ONE_DOOR) <= used


def test_no_file_is_a_house_of_one_room() -> None:
    sizes = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path: size for path, size in sizes.items() if size > 400} == {}
