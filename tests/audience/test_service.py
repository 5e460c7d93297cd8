import io
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
    ImportReport,
    add_subscriber,
    export_subscribers,
    find_subscriber,
    import_subscribers,
    remove_subscriber,
)
from newsletter.errors import UsageError
from newsletter.model.subscriber import Admission, NewSubscriber, SubscriberState
from newsletter.store import subscribers as store
from newsletter.store.database import Database, open_database

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)


def _import(database: Database, content: str | bytes) -> ImportReport:
    raw = content.encode() if isinstance(content, str) else content
    return import_subscribers(database, io.BytesIO(raw), NOW, lambda lines: None)


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
    assert _import(database, content.replace("Ann", "Other")) == ImportReport(0, 1, 0, (), 0, ())
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


def test_an_export_is_taken_back_unchanged(database: Database, tmp_path: Path) -> None:
    content = (
        "address,name,state,language,joined_at,left_at,source\n"
        "Ann@example.org,'=SUM(A1),active,de,2024-05-25T06:30:00.000001+00:00,,web form\n"
        "'=x@example.org,\"O'Neil, B.\",left,,2020-01-01T00:00:00+00:00,2021-01-01T00:00:00+00:00,import\n"
        "ö@example.org,,suspended,,2020-01-01T00:00:00+00:00,,'@x\n"
        "d@example.org,,pending,,2020-01-01T00:00:00+00:00,,import\n"
    )
    assert _import(database, content).added == 4
    assert _export(database) == content
    with open_database(f"sqlite:///{tmp_path / 'other.db'}") as other:
        assert _import(other, _export(database)).added == 4
        assert _export(other) == content
        assert add_subscriber(other, "=x@example.org", NOW)[0] is Admission.SUPPRESSED


def test_an_export_can_be_of_one_state(database: Database) -> None:
    _import(database, "email,state\na@example.org,active\nb@example.org,left\n")
    stream = io.StringIO(newline="")
    assert export_subscribers(database, stream, SubscriberState.LEFT) == 1
    assert "b@example.org" in stream.getvalue()
    assert "a@example.org" not in stream.getvalue()


@pytest.mark.parametrize("engine_name", ["sqlite"])  # nothing here differs between engines, and it asks often
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(max_size=40), source=st.text(max_size=40))
def test_any_name_that_is_taken_is_given_back(database: Database, name: str, source: str) -> None:
    try:
        clean, origin = parse_line(name, "name"), parse_line(source, "source")
    except ValueError:
        return
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM subscribers"))
        store.add_subscribers(connection, [NewSubscriber("a@example.org", clean, source=origin or "import")], NOW)
    content = _export(database)
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM subscribers"))
    assert _import(database, content).added == 1
    assert _export(database) == content
