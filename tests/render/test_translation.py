"""Every word for readers is in the catalogues, and has a German one.

After you wrote a new text: run with UPDATE_GOLDEN=1, which gathers it, and write its German into
`templates/locale/de.po`.
"""

import io
import os
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Settings
from newsletter.errors import NewsletterError
from newsletter.render.environment import in_language, load_environment
from newsletter.render.translation import (
    choose_language,
    default_catalogues,
    list_languages,
    load_translations,
    parse_accept_language,
)

ROOT = Path(__file__).parent.parent.parent
LOCALE = ROOT / "templates" / "locale"
CATALOGUES = sorted(LOCALE.glob("*.po"))
UPDATES = os.environ.get("UPDATE_GOLDEN") == "1"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "mark": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
SOURCES = [
    ("newsletter/**.py", "python"),
    ("templates/preview/**", "ignore"),
    ("templates/locale/**", "ignore"),
    ("templates/**.*", "jinja2"),
]
OPTIONS = {"templates/**.*": {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}


def extract() -> Catalog:
    catalogue = Catalog(charset="utf-8", fuzzy=False)
    found = extract_from_dir(ROOT, SOURCES, OPTIONS, KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True)
    for _file, _line, message, comments, context in found:
        catalogue.add(message, auto_comments=comments, context=context)
    return catalogue


def render(catalogue: Catalog) -> str:
    target = io.BytesIO()
    # Neither places nor times: they would change with every edit.
    write_po(target, catalogue, width=120, sort_output=True, no_location=True, omit_header=True)
    return target.getvalue().decode()


def load(path: Path) -> Catalog:
    with path.open("rb") as source:
        return read_po(source, locale=path.stem)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_knows_every_text_and_no_other(path: Path) -> None:
    catalogue = load(path)
    catalogue.update(extract(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    if UPDATES:
        path.write_text(render(catalogue), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == render(catalogue), "gather texts with UPDATE_GOLDEN=1, and look"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_nothing_is_left_untranslated_and_every_blank_is_filled(path: Path) -> None:
    catalogue = load(path)
    wrong = []
    for message in catalogue:
        if not message.id:
            continue
        texts = [message.string] if isinstance(message.string, str) else list(message.string or ())
        if message.fuzzy or not all(texts):
            wrong.append(f"untranslated: {message.id}")
        wrong += [f"{message.id}: {error}" for error in message.check(catalogue)]
        blanks = [set(re.findall(r"%\(\w+\)s", text)) for text in texts]
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        wrong += [f"other blanks: {message.id}" for one in blanks if one != set(re.findall(r"%\(\w+\)s", ids[-1]))]
    assert wrong == []


def test_german_is_complete_as_a_second_language() -> None:
    assert list_languages([default_catalogues()])[:2] == ["en", "de"]


def test_templates_speak_the_language_they_are_asked_for() -> None:
    environment = load_environment()
    source = '{{ _("Archive") }} {{ 12345 | grouped }} {{ ngettext("%(num)s issue", "%(num)s issues", 2) }}'
    assert environment.from_string(source).render() == "Archive 12,345 2 issues"
    german = in_language(environment, "de-AT")
    assert german.from_string(source).render() == "Archiv 12.345 2 Ausgaben"
    assert german is in_language(environment, "de")
    assert in_language(environment, "tlh") is environment
    assert in_language(german, "en").from_string(source).render() == "Archive 12,345 2 issues"


def test_texts_of_the_config_that_are_still_the_defaults_are_translated() -> None:
    german = load_translations("de", [default_catalogues()])
    for text in (Settings().publication.reason, Settings().issues.empty_text):
        assert german.gettext(text) != text


def test_a_users_own_words_go_before_ours(tmp_path: Path) -> None:
    (tmp_path / "locale").mkdir()
    (tmp_path / "locale" / "de.po").write_text('msgid ""\nmsgstr ""\n\nmsgid "Archive"\nmsgstr "Ablage"\n')
    german = in_language(load_environment(tmp_path), "de")
    assert german.from_string('{{ _("Archive") }} {{ _("Subscribe") }}').render() == "Ablage Abonnieren"


def test_a_catalogue_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "locale").mkdir()
    (tmp_path / "locale" / "de.po").write_text("this is no catalogue")
    with pytest.raises(NewsletterError, match=r"de\.po: this is not a catalogue"):
        in_language(load_environment(tmp_path), "de")


def test_what_goes_into_a_translated_text_is_escaped() -> None:
    german = in_language(load_environment(), "de")
    assert german.from_string('{{ _("By %(names)s", names="<b>") }}').render() == "Von &lt;b&gt;"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("de", ["de"]),
        ("de-AT, de;q=0.8, en;q=0.9", ["de-at", "en", "de"]),
        ("fr;q=0, de", ["de"]),
        ("*, en;q=x, de;q=2", []),
        ("", []),
    ],
)
def test_accept_language_is_read_by_weight(header: str, wanted: list[str]) -> None:
    assert list(parse_accept_language(header)) == wanted


@given(st.text(max_size=300))
def test_no_accept_language_breaks_anything(header: str) -> None:
    assert choose_language(parse_accept_language(header), ["en", "de"]) in ("en", "de", None)


def test_a_more_special_language_falls_back_to_the_plain_one() -> None:
    assert choose_language(["pt-BR", "de-CH-1996"], ["en", "de"]) == "de"
    assert choose_language(["de"], ["en", "de-CH"]) is None
