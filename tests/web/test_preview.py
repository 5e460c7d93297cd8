import pytest
from starlette.testclient import TestClient

from newsletter.model.problem import Problem, Severity
from newsletter.render.environment import load_environment
from newsletter.web.preview import Views, make_preview

MAIL = "<style>@media (prefers-color-scheme:dark){p{color:#fff}}</style><p>Mail</p>"
PROBLEM = Problem("issues/a.md", 3, 7, Severity.ERROR, "missing-alt", "An <b>image</b> has no words.", "Write some.")


class Desk:
    """An issue file that can be saved."""

    def __init__(self) -> None:
        self.saved = 0
        self.rendered = 0
        self.problems: tuple[Problem, ...] = ()

    def stamp(self) -> object:
        return self.saved

    def views(self) -> Views:
        self.rendered += 1
        return Views(
            f"Issue {self.saved}", MAIL, "plain words", "<p>feed</p>", "<p>page</p>", "p{}", self.problems, 1234
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def client(desk: Desk) -> TestClient:
    return TestClient(make_preview("issues/a.md", desk.views, desk.stamp, load_environment()), "http://127.0.0.1")


def test_every_view_is_shown(client: TestClient) -> None:
    assert "Issue 0" in client.get("/").text
    assert client.get("/text").text == "plain words"
    assert client.get("/text").headers["content-type"].startswith("text/plain")
    assert "<p>feed</p>" in client.get("/feed").text
    assert client.get("/page").text == "<p>page</p>"
    assert client.get("/style.css").headers["content-type"].startswith("text/css")


def test_dark_and_light_are_forced_whatever_the_browser_prefers(client: TestClient) -> None:
    assert "@media all{" in client.get("/mail?scheme=dark").text
    assert "@media not all{" in client.get("/mail?scheme=light").text


def test_nothing_is_rendered_twice_until_something_is_saved(client: TestClient, desk: Desk) -> None:
    client.get("/")
    client.get("/mail")
    assert desk.rendered == 1
    desk.saved = 1
    assert "Issue 1" in client.get("/").text
    assert desk.rendered == 2


def test_problems_are_counted_and_escaped(client: TestClient, desk: Desk) -> None:
    desk.problems = (PROBLEM,)
    page = client.get("/").text
    assert "An &lt;b&gt;image&lt;/b&gt; has no words." in page
    assert "line 3, column 7" in page
    assert "Write some." in page


def test_another_sites_name_for_this_machine_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
