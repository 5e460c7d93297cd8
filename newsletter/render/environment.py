"""The Jinja environment: template lookup, escaping, and what every template may call.

Owns the template chain (a user's folder before the built-in one) and the escaping rule: everything is escaped except
`.txt` templates. Refuses undefined names. Templates are trusted like code; issue text is not.
"""

from pathlib import Path

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

PACKAGED = Path(__file__).parent.parent / "templates"
CHECKOUT = Path(__file__).parent.parent.parent / "templates"


def default_folder() -> Path:
    """Return the folder of the built-in templates: inside the wheel, or at the top of a checkout."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT


def template_folders(folder: Path | None) -> tuple[Path, ...]:
    """Return where templates are looked for, first match first."""
    return (folder, default_folder()) if folder else (default_folder(),)


def load_environment(folder: Path | None = None) -> Environment:
    """Build the environment; `folder` is the user's own templates, whose files win one by one.

    `default:NAME` always means the built-in file, so that an override can extend what it replaces.
    """
    built_in = FileSystemLoader(default_folder())
    chain: list[BaseLoader] = [FileSystemLoader(folder)] if folder else []
    chain += [built_in, PrefixLoader({"default": built_in}, delimiter=":")]
    return Environment(
        loader=ChoiceLoader(chain),
        autoescape=_escapes,  # noqa: S701 - all but plain text is escaped, see _escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _escapes(name: str | None) -> bool:
    """Escape everything that is not plain text; Jinja's own list of endings forgets some."""
    return name is None or not name.endswith(".txt")
