"""Lists of readers in ZIP archives, and archives that are up to no good."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.audience import archive
from newsletter.audience.archive import open_lists
from newsletter.audience.policy_services import SERVICES
from newsletter.errors import UsageError

LISTS = Path(__file__).parent / "lists"
MAILCHIMP = {
    "subscribed_email_audience_export_1a2b.csv": "mailchimp-subscribed.csv",
    "unsubscribed_email_audience_export_1a2b.csv": "mailchimp-unsubscribed.csv",
    "cleaned_email_audience_export_1a2b.csv": "mailchimp-cleaned.csv",
}


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def sample(name: str) -> bytes:
    return (LISTS / name).read_bytes()


def names(path: Path, service: str = "") -> list[str]:
    with open_lists(path, SERVICES[service] if service else None) as lists:
        for one in lists.lists:
            with one.open() as stream:
                assert len(stream.read()) == one.size
        return [one.name for one in lists.lists]


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught, open_lists(path):
        pass
    return str(caught.value)


def test_a_plain_file_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "readers.csv").write_bytes(b"email\na@example.org\n")
    assert names(tmp_path / "readers.csv") == ["readers.csv"]


def test_one_csv_file_in_an_archive_is_the_list_whatever_is_in_it(tmp_path: Path) -> None:
    members = {"lists/readers.csv": b"a@example.org\n", "readme.txt": b"", "__MACOSX/lists/._readers.csv": b"\0"}
    path = pack(tmp_path / "a.zip", members)
    with open_lists(path) as lists:
        assert [one.name for one in lists.lists] == ["readers.csv"]
        assert lists.left_alone == ("readme.txt", "__MACOSX/lists/._readers.csv")


def test_mailchimps_archive_says_first_who_stays_out(tmp_path: Path) -> None:
    members = {name: sample(source) for name, source in MAILCHIMP.items()}
    members["nonsubscribed_email_audience_export_1a2b.csv"] = sample("mailchimp-subscribed.csv")
    found = names(pack(tmp_path / "audience.zip", members))
    assert set(found) == set(MAILCHIMP)
    assert found[-1].startswith("subscribed")


def test_of_substacks_archive_only_the_list_is_taken(tmp_path: Path) -> None:
    members = {
        "posts.csv": b"post_id,post_date,is_published\n1.a,2024-01-01,true\n",
        "email_list.paper.csv": sample("substack-list.csv"),
        "posts/1.delivers.csv": b"post_id,timestamp,email,active_subscription,expiry\n1,2024,gone@example.org,true,\n",
        "posts/1.a.html": b"<p>",
    }
    path = pack(tmp_path / "export.zip", members)
    assert names(path) == ["email_list.paper.csv"]
    assert names(path, "substack") == ["email_list.paper.csv"]
    with open_lists(path) as lists:
        assert len(lists.left_alone) == 3


def test_an_archive_of_several_unknown_lists_is_refused(tmp_path: Path) -> None:
    said = refusal(pack(tmp_path / "a.zip", {f"{n}.csv": b"email\na@example.org\n" for n in range(7)}))
    assert said.startswith("The archive holds 7 CSV files (0.csv, 1.csv, 2.csv, 3.csv, 4.csv, …)")
    assert said.endswith("Unpack it, and import those.")


@pytest.mark.parametrize("content", [b"", b'"open', b"name,phone\n", b"\xff\xfe"])
def test_what_is_no_list_in_an_archive_is_left_alone(tmp_path: Path, content: bytes) -> None:
    assert names(pack(tmp_path / "a.zip", {"x.csv": content, "ghost.csv": sample("ghost.csv")})) == ["ghost.csv"]


def test_people_who_never_subscribed_are_nobodys_readers(tmp_path: Path) -> None:
    path = tmp_path / "nonsubscribed_email_audience_export.csv"
    path.write_bytes(sample("mailchimp-subscribed.csv"))
    assert "never subscribed" in refusal(path)


def test_a_spreadsheet_is_known(tmp_path: Path) -> None:
    assert "is a spreadsheet" in refusal(pack(tmp_path / "a.xlsx", {"[Content_Types].xml": b"", "x.csv": b""}))


def test_an_archive_without_a_list_is_refused(tmp_path: Path) -> None:
    assert "no CSV file" in refusal(pack(tmp_path / "a.zip", {"a.txt": b"a@example.org"}))


def test_a_list_that_would_grow_out_of_all_proportion_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"bomb.csv": b"a" * 20_000_000})
    assert path.stat().st_size < 50_000
    assert "bomb.csv in the archive would be 20,000,000 bytes: too large to be a list." in refusal(path)


def test_a_list_is_no_longer_than_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that claims to be small is cut there, and the checksum tells."""
    path = pack(tmp_path / "a.zip", {"x.csv": b"email\n" + b"a@example.org\n" * 1000})
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\x01\x02") + 24
    whole[at : at + 4] = struct.pack("<I", 20)
    path.write_bytes(whole)
    with pytest.raises(UsageError, match=r"can't be read: Bad CRC-32 for file 'x.csv'"):
        names(path)
    monkeypatch.setattr(archive, "MAX_UNPACKED", 10)
    assert "too large" in refusal(path)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    assert "more than 3 files" in refusal(pack(tmp_path / "a.zip", {f"{n}.txt": b"" for n in range(4)}))


def test_other_ways_of_packing_are_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"x.csv": b"email\n"}, zipfile.ZIP_LZMA)
    assert "packed in a way that isn't read here" in refusal(path)


def test_an_archive_with_a_password_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"x.csv": sample("ghost.csv"), "y.csv": sample("ghost.csv")})
    whole = bytearray(path.read_bytes())
    for sign, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = whole.index(sign)
        whole[at + flags] |= 1
    path.write_bytes(whole)
    assert "The archive can't be read" in refusal(path)
    assert "password" in refusal(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_archive_is_refused_with_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("ghost.csv", sample("ghost.csv"))
        packed.writestr("listmonk.csv", sample("listmonk.csv"))
    whole = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.zip"
    path.write_bytes(whole)
    try:
        with open_lists(path) as lists:
            for one in lists.lists:
                with one.open() as opened:
                    opened.read()
    except UsageError:
        pass
