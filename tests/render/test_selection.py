"""What readers who chose some sections get of an issue."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jinja2 import Environment

from newsletter.config import Issues, Settings
from newsletter.model.edition import PREFERENCES_FIELD
from newsletter.model.issue import Issue, Markdown, Section
from newsletter.model.topic import topic_key
from newsletter.model.variant import WHOLE, Share, VariantKey
from newsletter.render.edition import render_edition
from newsletter.render.selection import decide_share, name_topics, render_variant, select_sections

FIRST, NOTHING, LAST = "first-things", "nothing-here", "last-things"


def choose(*topics: str) -> frozenset[str]:
    return frozenset(topics)


def test_who_chose_nothing_gets_everything(issue: Issue, settings: Settings) -> None:
    assert decide_share(issue, choose(), settings) == Share(WHOLE)


def test_a_choice_comes_to_the_sections_that_the_issue_has(issue: Issue, settings: Settings) -> None:
    assert decide_share(issue, choose(LAST), settings).key == VariantKey(choose(LAST))
    assert decide_share(issue, choose(LAST, "elsewhere"), settings).key == VariantKey(choose(LAST))


def test_who_chose_all_that_is_shown_gets_the_whole_edition(issue: Issue, settings: Settings) -> None:
    assert decide_share(issue, choose(FIRST, NOTHING, LAST), settings) == Share(WHOLE)
    assert decide_share(issue, choose(FIRST, LAST), settings).key == VariantKey(choose(FIRST, LAST))
    terse = settings.model_copy(update={"issues": Issues(empty_sections="omit")})
    assert decide_share(issue, choose(FIRST, LAST), terse) == Share(WHOLE)


def test_a_choice_of_which_nothing_is_there_is_told(issue: Issue, settings: Settings) -> None:
    configured = settings.model_copy(update={"issues": Issues(sections=("Nothing here!", "Elsewhere"))})
    share = decide_share(issue, choose("gone", NOTHING, "elsewhere"), configured)
    assert share.reason == "nothing in this issue for: Nothing here!, Elsewhere, gone"


def test_a_letter_without_anything_in_sections_is_for_everybody(issue: Issue, settings: Settings) -> None:
    letter = replace(issue, sections=())
    assert decide_share(letter, choose(LAST), settings) == Share(WHOLE)
    assert decide_share(replace(issue, sections=issue.sections[1:2]), choose(LAST), settings) == Share(WHOLE)


def test_a_section_that_is_only_text_is_something(issue: Issue, settings: Settings) -> None:
    talk = replace(issue, sections=(*issue.sections, Section("Talk", "talk", Markdown("Come and talk."))))
    assert decide_share(talk, choose("talk"), settings).key == VariantKey(choose("talk"))


def test_a_variant_holds_its_sections_the_intro_and_the_same_subject(
    issue: Issue, settings: Settings, environment: Environment
) -> None:
    whole = render_edition(issue, settings, environment)
    rendering = render_variant(issue, VariantKey(choose(LAST)), settings, environment)
    edition = rendering.edition
    assert rendering.works == ("doi:10.1145/3442188",)
    assert (edition.slug, edition.subject, edition.page_url) == (whole.slug, whole.subject, whole.page_url)
    for part in (edition.html, edition.text):
        assert "A post about a paper" in part
        assert "An entry without link" not in part
        assert "Nothing here" not in part
        assert "Your sections: Last things." in part
        assert "https://example.org/intro" in part
        assert part.count(PREFERENCES_FIELD) == 2
    assert "Your sections" not in whole.html + whole.text


def test_entries_of_a_variant_are_counted_from_one(issue: Issue, settings: Settings, environment: Environment) -> None:
    edition = render_variant(issue, VariantKey(choose(LAST)), settings, environment).edition
    assert "\n 1. A post about a paper\n" in edition.text


def test_a_variant_with_nothing_in_it_is_no_mail(issue: Issue, settings: Settings, environment: Environment) -> None:
    assert select_sections(issue, choose(NOTHING)) is None
    with pytest.raises(ValueError, match="nothing of 2024-05-25"):
        render_variant(issue, VariantKey(choose(NOTHING)), settings, environment)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(topics=st.frozensets(st.sampled_from([FIRST, NOTHING, LAST, "elsewhere"])), show=st.booleans())
def test_everybody_gets_all_that_he_chose_and_nothing_else(
    issue: Issue, settings: Settings, topics: frozenset[str], show: bool
) -> None:
    rules = Issues(empty_sections="show" if show else "omit")
    share = decide_share(issue, topics, settings.model_copy(update={"issues": rules}))
    wanted = [
        entry.id
        for section in issue.sections
        if not topics or topic_key(section.title) in topics
        for entry in section.entries
    ]
    got = select_sections(issue, share.key.topics) if share.key.topics else issue
    assert got is not None
    assert ([] if share.reason else [entry.id for entry in got.entries]) == wanted


def test_topics_are_named_in_the_publications_order() -> None:
    assert name_topics({"b", "a", "z"}, ("B", "A")) == "B, A, z"
