"""A few days of a small publication with everything under way; `benchmarks/soak.py` lives through a month."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from benchmarks.soak import judge, run
from benchmarks.soak_town import FIRST
from newsletter.store.schema import deliveries


def test_for_three_days_nobody_is_forgotten_and_nobody_has_anything_twice(ledger_url: str, tmp_path: Path) -> None:
    town = run(tmp_path / "town", ledger_url, days=3, readers=40)
    assert town.problems == []
    numbers = town.numbers
    assert (numbers.days, len(town.issues)) == (3, 2)
    assert min(numbers.accepted, numbers.deferred, numbers.joined, numbers.left, numbers.changed) > 0
    # And were it otherwise, it would be seen.
    key = next(iter(town.taken))
    town.taken[key] += 1
    with town.post.app as app:
        with app.database.transaction() as connection:
            connection.execute(update(deliveries).where(deliveries.c.id == 1).values(state="failed"))
        judge(town, FIRST + timedelta(days=2), "planned")
    said = "\n".join(town.problems)
    for problem in ("somebody got it twice", "the slot is skipped", "the editor was told", "differ in"):
        assert problem in said
