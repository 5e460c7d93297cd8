import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from newsletter.audience import service
from newsletter.audience.policy import parse_line
from newsletter.audience.rows import BadRow
from newsletter.audience.service import (
    Add,
    ImportReport,
    Rehearsal,
    add_batch,
    add_subscriber,
    export_subscribers,
    export_to_listmonk,
    find_subscriber,
    import_subscribers,
    remove_subscriber,
)
from newsletter.errors import UsageError
from newsletter.model.subscriber import Admission, Cadence, NewSubscriber, Subscriber, SubscriberState
from newsletter.store import subscribers as store
from newsletter.store.consents import list_consents
from newsletter.store.database import Database, open_database

LISTS = Path(__file__).parent / "lists"
NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)


def _import(database: Database, content: str | bytes, add: Add = add_batch) -> ImportReport:
    raw = content.encode() if isinstance(content, str) else content
    return import_subscribers(database, io.BytesIO(raw), NOW, lambda lines: None, add=add)


def _export(database: Database) -> str:
    stream = io.StringIO(newline="")
    export_subscribers(database, stream)
    return stream.getvalue()


def _addresses(database: Database) -> list[str]:
    with database.read() as connection:
        return [one.address for one in store.walk_subscribers(connection)]


def test_adding_by_hand_says_what_it_came_to(database: Database) -> None:
    assert add_subscriber(database, "You@Example.org", NOW, name=" You  Two ")[0] is Admission.NEW
    assert add_subscriber(database, "you@example.org", NOW)[0] is Admission.KNOWN
    found = find_subscriber(database, "YOU@example.org")
    assert found is not None
    assert (found.address, found.name, found.source) == ("You@example.org", "You Two", "by hand")


def test_removing_by_hand_keeps_an_address_out_of_imports(database: Database) -> None:
    add_subscriber(database, "ann@example.org", NOW)
    departure = remove_subscriber(database, "Ann@example.org", NOW)
    assert departure is not None
    assert departure.changed
    assert _import(database, "Ann@example.org\nbob@example.org\n").suppressed == 1
    assert add_subscriber(database, "ann@example.org", NOW)[0] is Admission.SUPPRESSED
    assert add_subscriber(database, "ann@example.org", NOW, lift=True)[0] is Admission.BACK


@pytest.mark.parametrize("text", ["ann", "ann@example.org\nBcc: x@example.org"])
def test_what_is_no_address_is_refused_in_a_sentence(database: Database, text: str) -> None:
    for action in (add_subscriber, remove_subscriber):
        with pytest.raises(UsageError, match="is not a mail address"):
            action(database, text, NOW)
    with pytest.raises(UsageError, match="is not a mail address"):
        find_subscriber(database, text)
    with pytest.raises(UsageError, match="The name is longer"):
        add_subscriber(database, "ann@example.org", NOW, name="x" * 201)


def test_an_import_accounts_for_every_row(database: Database) -> None:
    add_subscriber(database, "known@example.org", NOW)
    remove_subscriber(database, "out@example.org", NOW)
    report = _import(
        database,
        "\ufeffName;E-Mail;Tags\r\n"
        "Ann;ann@example.org;x\r\n"
        "\r\n"
        "Known;known@example.org;\r\n"
        '"Ann\nagain";ANN@example.org;\r\n'
        "Out;out@example.org;\r\n"
        "Bad;nobody;\r\n"
        "Jörg;jörg@müller.de;\r\n",
    )
    assert (report.added, report.known, report.suppressed, report.bad_total) == (2, 2, 1, 1)
    assert report.ignored == ("Tags",)
    (bad,) = report.bad
    assert (bad.line, bad.text) == (8, "Bad;nobody;")
    assert _addresses(database) == ["known@example.org", "ann@example.org", "jörg@xn--mller-kva.de"]


def test_a_list_of_addresses_needs_no_header(database: Database) -> None:
    assert _import(database, "ann@example.org\n\nbob@example.org").added == 2


def test_running_an_import_again_changes_nothing(database: Database) -> None:
    content = "email,name\nann@example.org,Ann\n"
    _import(database, content)
    before = _export(database)
    assert _import(database, content.replace("Ann", "Other")) == ImportReport(
        0, 1, 0, (), 0, (), standings={"active": 1}
    )
    assert _export(database) == before


def test_an_interrupted_import_keeps_its_batches_and_goes_on_when_run_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 2)
    content = "".join(f"reader{number}@example.org\n" for number in range(7)).encode()

    def stop(lines: int) -> None:
        if lines >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_subscribers(database, io.BytesIO(content), NOW, stop)
    assert len(_addresses(database)) == 4
    report = _import(database, content)
    assert (report.added, report.known) == (3, 4)


def test_progress_tells_the_lines_done_and_bad_rows_are_told_as_they_are_met(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 2)
    monkeypatch.setattr(service, "BAD_ROWS_SHOWN", 1)
    lines: list[int] = []
    bad: list[BadRow] = []
    content = b"a@example.org\nbad one\nb@example.org\nbad two\nc@example.org\n"
    report = import_subscribers(database, io.BytesIO(content), NOW, lines.append, on_bad=bad.append)
    assert lines == [3, 5, 5]
    assert [row.text for row in bad] == ["bad one", "bad two"]
    assert (report.bad_total, [row.line for row in report.bad]) == (2, [2])


def test_a_row_in_another_encoding_is_bad_and_the_rest_is_imported(database: Database) -> None:
    content = "email,name,größe\na@example.org,Jörg,1\nb@example.org,Bo,2\n"
    report = _import(database, content.encode("latin-1"))
    assert (report.added, report.ignored) == (1, ("gr\ufffd\ufffde",))
    reason = "the row is not UTF-8; save the file as CSV in UTF-8."
    assert report.bad == (BadRow(2, "a@example.org,J\ufffdrg,1", reason),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty"),
        (b"\n\n", "The file is empty"),
        ("email\na@example.org\n".encode("utf-16"), "is in UTF-16. Save it as CSV"),
        (b"PK\x03\x04rest", "is a spreadsheet"),
        (b"name,phone\nAnn,1\n", "no column is called address or email"),
        (b'"email,name\n', "opened and never closed. This line must name the columns"),
    ],
)
def test_a_file_that_can_not_be_understood_is_refused_whole(database: Database, content: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _import(database, content)
    assert _addresses(database) == []


def test_the_stream_is_left_open(database: Database) -> None:
    stream = io.BytesIO(b"a@example.org\n")
    import_subscribers(database, stream, NOW, lambda lines: None)
    assert not stream.closed


def _accepted(report: ImportReport) -> tuple[int, int]:
    """Return how many were written: who read, and who is kept out."""
    return report.added, report.kept_out


def test_an_export_is_taken_back_unchanged(database: Database, tmp_path: Path) -> None:
    content = (
        "address,name,state,language,joined_at,left_at,source,topics,cadence,paused_until\n"
        "Ann@example.org,'=SUM(A1),active,de,2024-05-25T06:30:00.000001+00:00,,web form,ai-safety news,weekly,"
        "2030-01-01T00:00:00+00:00\n"
        "'=x@example.org,\"O'Neil, B.\",left,,2020-01-01T00:00:00+00:00,2021-01-01T00:00:00+00:00,import,,each,\n"
        "ö@example.org,,suspended,,2020-01-01T00:00:00+00:00,,'@x,,monthly,\n"
        "d@example.org,,pending,,2020-01-01T00:00:00+00:00,,import,,each,\n"
    )
    assert _accepted(_import(database, content)) == (2, 2)
    assert _export(database) == content
    with open_database(f"sqlite:///{tmp_path / 'other.db'}") as other:
        assert _accepted(_import(other, _export(database))) == (2, 2)
        assert _export(other) == content
        assert add_subscriber(other, "=x@example.org", NOW)[0] is Admission.SUPPRESSED


def test_an_older_export_is_still_taken(database: Database) -> None:
    content = "address,name,state,language,joined_at,left_at,source\nann@example.org,,active,,2020-01-01,,web form\n"
    assert _import(database, content).added == 1
    assert "web form,,each," in _export(database)


def test_an_export_can_be_of_one_state(database: Database) -> None:
    _import(database, "email,state\na@example.org,active\nb@example.org,left\n")
    stream = io.StringIO(newline="")
    assert export_subscribers(database, stream, SubscriberState.LEFT) == 1
    assert "b@example.org" in stream.getvalue()
    assert "a@example.org" not in stream.getvalue()


TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants it so
READERS = st.builds(
    NewSubscriber,
    address=st.from_regex(r"\A[a-z=+'-]{1,9}@example\.org\Z"),
    name=st.text(max_size=40),
    state=st.sampled_from(SubscriberState),
    language=st.sampled_from(["", "de", "pt-BR"]),
    joined_at=TIMES,
    source=st.text(max_size=40),
    left_at=TIMES,
    topics=st.frozensets(st.from_regex(r"\A[a-z0-9]{1,5}(-[a-z0-9]{1,5}){0,2}\Z"), max_size=3),
    cadence=st.sampled_from(Cadence),
    paused_until=st.none() | TIMES,
)


def _clean(new: NewSubscriber) -> NewSubscriber:
    """A reader as every way in would store him."""
    name, source = ("".join(filter(str.isprintable, text)) for text in (new.name, new.source))
    return replace(new, name=parse_line(name, "name"), source=parse_line(source, "source") or "form")


def _empty(database: Database) -> None:
    with database.transaction() as connection:
        for table in ("consents", "subscribers", "suppressions"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - the test's own words


def _readers(database: Database) -> list[Subscriber]:
    with database.read() as connection:
        return [replace(reader, id=0) for reader in store.walk_subscribers(connection)]


@pytest.mark.parametrize("engine_name", ["sqlite"])  # nothing here differs between engines, and it asks often
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(readers=st.lists(READERS, max_size=5, unique_by=lambda new: new.address))
def test_any_reader_who_is_exported_comes_back_the_same(database: Database, readers: list[NewSubscriber]) -> None:
    _empty(database)
    with database.transaction() as connection:
        store.add_subscribers(connection, [_clean(new) for new in readers], NOW)
    before, content = _readers(database), _export(database)
    _empty(database)
    assert sum(_accepted(_import(database, content))) == len(readers)
    assert _readers(database) == before
    assert _export(database) == content


STANDINGS = st.sampled_from(["active", "pending", "left", "bounced", "complained", "suspended", "maybe"])
DAYS = st.sampled_from(["", "2024-01-01", "2024-02-02", "2024-03-03"])
LINES = st.lists(st.tuples(st.sampled_from("abcdef"), STANDINGS, DAYS, DAYS).map(",".join), max_size=12)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(known=LINES, lines=LINES, size=st.integers(1, 4))
def test_a_rehearsal_says_what_the_import_then_does(
    database: Database, known: list[str], lines: list[str], size: int
) -> None:
    _empty(database)
    _import(database, _list_of(known))
    before = _readers(database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "BATCH", size)
        told = _import(database, _list_of(lines), add=Rehearsal())
        assert _readers(database) == before
        assert _import(database, _list_of(lines)) == told


def _list_of(lines: list[str]) -> str:
    rows = "".join(line.replace(",", "@example.org,", 1) + "\n" for line in lines)
    return f"email,state,joined_at,left_at\n{rows}"


def test_an_import_says_whose_it_is_and_how_everybody_stands(database: Database) -> None:
    report = _import(database, (LISTS / "buttondown.csv").read_bytes())
    assert report.service == "Buttondown"
    assert report.standings == {"active": 2, "bounced": 1, "complained": 1, "left": 2, "pending": 1}
    assert (report.added, report.kept_out, report.bad_total) == (3, 4, 0)
    with database.read() as connection:
        kept_out = connection.execute(text("SELECT address, reason FROM suppressions")).all()
    assert {row.address: row.reason for row in kept_out} == {
        "cas@example.org": "left",
        "dee@example.org": "bounced",
        "eve@example.org": "complained",
        "fay@example.org": "left",
    }


def test_an_import_keeps_how_a_reader_agreed(database: Database) -> None:
    with (LISTS / "mailchimp-subscribed.csv").open("rb") as stream:
        offered = frozenset({"ai-safety"})
        import_subscribers(database, stream, NOW, lambda _: None, source="import of list.csv", offered=offered)
    found = find_subscriber(database, "ada@example.org")
    assert found is not None
    assert (found.topics, found.source) == (offered, "import of list.csv from Mailchimp")
    with database.read() as connection:
        (line,) = list_consents(connection, found.id)
    assert (line.event, line.at, line.origin.client) == ("imported", NOW, "192.0.2.8")
    assert line.detail == "opted in on 2018-02-05 at 19:30:01 UTC"


def test_listmonk_gets_what_it_imports(database: Database) -> None:
    topics = frozenset({"news", "ai-safety"})
    joined = datetime(2020, 1, 1, tzinfo=UTC)
    ann = NewSubscriber("ann@example.org", "=Ann", language="de", joined_at=joined, source="form", topics=topics)
    with database.transaction() as connection:
        store.add_subscribers(connection, [ann, NewSubscriber("bob@example.org", joined_at=joined)], NOW)
    stream = io.StringIO(newline="")
    assert export_to_listmonk(database, stream, SubscriberState.ACTIVE) == 2
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert [(row["email"], row["name"]) for row in rows] == [("ann@example.org", "'=Ann"), ("bob@example.org", "")]
    assert json.loads(rows[0]["attributes"]) == {
        "language": "de",
        "topics": ["ai-safety", "news"],
        "cadence": "each",
        "joined_at": "2020-01-01T00:00:00+00:00",
        "source": "form",
    }
    assert list(json.loads(rows[1]["attributes"])) == ["cadence", "joined_at"]
