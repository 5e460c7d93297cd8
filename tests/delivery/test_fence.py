"""The fence beside a database, and what a restore concludes from it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery.fence import (
    Fence,
    decide_restoration,
    fence_path,
    is_behind,
    load_fence,
    parse_fence,
    write_fence,
)
from newsletter.errors import StoreError
from newsletter.model.ledger import FenceMark, LedgerMark, Restoration

LINE, LIFE, NEXT, LAST = "0" * 32, "1" * 32, "2" * 32, "3" * 32


def mark(epoch: int = 0, life: str = LIFE, lives: tuple[tuple[str, int], ...] = ()) -> LedgerMark:
    return LedgerMark(LINE, life, epoch, lives)


def note(folder: Path, slug: str, epoch: int) -> None:
    fence = Fence.open(folder, mark(epoch), slug)
    fence.note(epoch)
    fence.close()


def test_it_keeps_how_far_each_issue_came(tmp_path: Path) -> None:
    assert load_fence(tmp_path, LINE) is None
    for slug, epoch in (("2024-05-25", 3), ("1", 5), ("2024-05-2", 7), ("2024-05-25", 9)):
        note(tmp_path, slug, epoch)
    assert load_fence(tmp_path, LINE) == FenceMark(LIFE, {"2024-05-25": 9, "1": 5, "2024-05-2": 7})


def test_an_earlier_epoch_of_another_sender_changes_nothing(tmp_path: Path) -> None:
    one, two = Fence.open(tmp_path, mark(), "x"), Fence.open(tmp_path, mark(), "x")
    one.note(5)
    two.note(4)
    kept = load_fence(tmp_path, LINE)
    assert kept is not None
    assert kept.epochs == {"x": 5}
    one.close()
    two.close()


def test_nothing_is_sent_from_a_database_that_is_behind(tmp_path: Path) -> None:
    note(tmp_path, "x", 5)
    for behind in (mark(4), mark(5, NEXT), mark(9, NEXT, ((LIFE, 2),))):
        with pytest.raises(StoreError, match="newsletter restore"):
            Fence.open(tmp_path, behind, "y")
    Fence.open(tmp_path, mark(5), "x").close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "newsletter fence 1\n",
        f"newsletter fence 1\n{LIFE}",
        f"newsletter fence 2\n{LIFE}\n",
        f"newsletter fence 1\n{LIFE[:-1]}\n",
        f"newsletter fence 1\n{LIFE}\n{5:020} x",
        f"newsletter fence 1\n{LIFE}\n{5:019} x\n",
        f"newsletter fence 1\n{LIFE}\n{5:020}\n",
        f"newsletter fence 1\n{LIFE}\n{'x' * 20} x\n",
    ],
)
def test_a_damaged_fence_is_not_believed(tmp_path: Path, text: str) -> None:
    fence_path(tmp_path, LINE).write_text(text)
    with pytest.raises(StoreError, match="is damaged"):
        Fence.open(tmp_path, mark(), "x")
    with pytest.raises(StoreError, match="is damaged"):
        load_fence(tmp_path, LINE)


def test_nor_is_one_that_is_no_text(tmp_path: Path) -> None:
    fence_path(tmp_path, LINE).write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="is damaged"):
        load_fence(tmp_path, LINE)


@given(st.text(max_size=200))
def test_whatever_a_file_holds_is_read_or_refused(text: str) -> None:
    try:
        found = parse_fence(text, Path("x.fence"))
    except StoreError:
        return
    assert len(found.life) == 32


_slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)


@settings(deadline=None)
@given(st.dictionaries(_slugs, st.integers(0, 2**63)))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, epochs: dict[str, int]) -> None:
    folder = tmp_path_factory.mktemp("fence")
    write_fence(folder, LINE, FenceMark(LIFE, epochs))
    assert load_fence(folder, LINE) == FenceMark(LIFE, epochs)


def test_a_restore_finds_what_was_sent_since_the_copy() -> None:
    fence = FenceMark(LIFE, {"monday": 4, "tuesday": 9})
    assert not is_behind(mark(9), fence)
    assert is_behind(mark(8), fence)
    assert decide_restoration(mark(6), fence, NEXT, everything=False) == Restoration(("tuesday",), NEXT, 10, False)
    assert decide_restoration(mark(2), fence, NEXT, everything=False).slugs == ("monday", "tuesday")


def test_a_copy_from_before_an_earlier_restore_is_behind_too() -> None:
    fence = FenceMark(NEXT, {"monday": 4, "tuesday": 9})
    found = decide_restoration(mark(4), fence, LAST, everything=False)
    assert found == Restoration(("tuesday",), LAST, 10, False)


def test_another_machine_restored_it_already_and_this_one_adds_what_it_sent() -> None:
    fence = FenceMark(LIFE, {"monday": 4, "tuesday": 9})
    restored = mark(20, LAST, ((LIFE, 6), (NEXT, 3)))
    assert is_behind(restored, fence)
    found = decide_restoration(restored, fence, "4" * 32, everything=True)
    assert found == Restoration(("monday", "tuesday"), LAST, 21, False)


def test_without_a_fence_everything_may_have_been_sent() -> None:
    assert decide_restoration(mark(6), None, NEXT, everything=False) == Restoration((), NEXT, 7, True)
