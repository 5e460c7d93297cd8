"""A small fixed issue that has one of everything, and what it takes to render it."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import hypothesis
import pytest
from jinja2 import Environment

from newsletter.config import Publication, Settings
from newsletter.model.issue import Entry, Field, Identifier, Issue, Markdown, Section
from newsletter.render.environment import load_environment

# The first example pays for loading tables, and a busy machine is no failure.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

GOLDEN = Path(__file__).parent / "golden"

LEAD = r"""A lead with $\mathcal{O}(n \log n)$, $W_{q}$, a [link](https://example.org/x "Title"), a [reference]
and `code`.

- one
  - nested
- two

> A quotation.
"""

RESULTS = """| Model | Accuracy |
|:--|--:|
| Small | 71.2 |
| Large | 74.9 |

```python
def attention(query):

    return softmax(query)
```

![Accuracy over time](https://example.org/plot.png)
"""


@pytest.fixture
def issue() -> Issue:
    """An issue with everything in it; every test may replace what it is about."""
    everything = Entry(
        id="arxiv:2405.16325",
        anchor="sparse",
        title="Sparse & fast: $O(n)$ attention for <everyone>",
        url="https://arxiv.org/abs/2405.16325v1",
        identifier=Identifier("arxiv", "2405.16325", "v1"),
        authors=tuple(f"Author Number{at}" for at in range(1, 12)),
        code_url="https://github.com/example/sparse",
        lead=Markdown(LEAD),
        fields=(Field("Why?", Markdown("Because **speed** matters.")), Field("Results", Markdown(RESULTS))),
    )
    plain = Entry(id="2024-05-25#plain", anchor="plain", title="An entry without link", lead=Markdown("Only a lead."))
    doi = Entry(
        id="doi:10.1145/3442188",
        anchor="doi",
        title="A post about a paper",
        url="https://example.org/post",
        identifier=Identifier("doi", "10.1145/3442188"),
        authors=("Solo Author",),
        fields=(Field("How?", Markdown("See [the page](https://example.org/post) and <https://example.org/auto>.")),),
    )
    return Issue(
        path="issues/2024-05-25.md",
        slug="2024-05-25",
        date=date(2024, 5, 25),
        title="A small issue",
        source="",
        subtitle="With one of everything",
        authors=("Ada Lovelace", "Émile Zola"),
        intro=Markdown("An *intro* with a [link](https://example.org/intro)."),
        sections=(
            Section("First things", "first", Markdown("What stands under a section."), (everything, plain)),
            Section("Nothing here", "nothing"),
            Section("Last things", "last", entries=(doi,)),
        ),
        references={"REFERENCE": ("https://example.org/reference", "")},
    )


@pytest.fixture
def settings() -> Settings:
    """The defaults, with an editor."""
    return Settings(publication=Publication(editor="Ada Lovelace"))


@pytest.fixture
def environment() -> Environment:
    """The built-in templates."""
    return load_environment()


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare with a file in golden/, which is rewritten only when UPDATE_GOLDEN=1."""

    def compare(name: str, shown: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_text(shown, encoding="utf-8")
        assert shown == path.read_text(encoding="utf-8"), f"{path} differs; look, then set UPDATE_GOLDEN=1"

    return compare
