"""What a restore's words say to people."""

from newsletter.model.ledger import describe_fenced


def test_what_is_fenced_is_named_as_people_name_it() -> None:
    assert describe_fenced(["slug:2026-11-21"]) == ["2026-11-21"]
    assert describe_fenced(["day:2026-11-21"]) == ["an issue dated 2026-11-21"]
    assert describe_fenced(["day:2026-11-23", "day:2026-11-21", "day:2026-11-22", "slug:weekly-2026-W47"]) == [
        "weekly-2026-W47",
        "issues dated 2026-11-21 to 2026-11-23",
    ]
    assert describe_fenced([]) == []
