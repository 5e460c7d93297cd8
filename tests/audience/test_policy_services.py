"""The lists of other services, as each of them writes them, and what becomes of every row.

`lists/` holds one sample for each kind of export, made up after what the service documents.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.audience.policy import Columns, describe_standing, parse_header, parse_row
from newsletter.audience.policy_services import SERVICES, recognise_service
from newsletter.audience.rows import BadRow, Row, read_rows
from newsletter.errors import UsageError
from newsletter.model.subscriber import NewSubscriber

LISTS = Path(__file__).parent / "lists"
OFFERED = frozenset({"ai-safety", "core-research"})
TOPIC = frozenset({"ai-safety"})


@dataclass(frozen=True)
class Sample:
    """A list that was read: its columns, its readers by the first letter's name, and the reasons of bad rows."""

    columns: Columns
    readers: dict[str, NewSubscriber]
    bad: dict[int, str]

    @property
    def standings(self) -> dict[str, str]:
        return {name: describe_standing(reader) for name, reader in self.readers.items()}


def read(name: str, offered: frozenset[str] = OFFERED) -> Sample:
    with (LISTS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        rows = read_rows(stream)
        header = next(rows)
        assert isinstance(header, Row)
        columns = parse_header(header, offered=offered)
        parsed = [row if isinstance(row, BadRow) else parse_row(row, columns, f"import of {name}.csv") for row in rows]
    readers = {one.address.partition("@")[0]: one for one in parsed if isinstance(one, NewSubscriber)}
    return Sample(columns, readers, {one.line: one.reason for one in parsed if isinstance(one, BadRow)})


def at(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.csv")), ids=lambda path: path.stem)
def test_each_service_is_recognised_by_its_columns(path: Path) -> None:
    assert read(path.stem).columns.service.name == path.stem.partition("-")[0]


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.csv")), ids=lambda path: path.stem)
def test_nobody_who_is_kept_out_is_mailed(path: Path) -> None:
    for reader in read(path.stem).readers.values():
        assert reader.kept_out is None or reader.state in ("left", "suspended")
        assert reader.state != "left" or reader.kept_out == "left"


def test_beehiiv() -> None:
    sample = read("beehiiv")
    assert sample.standings == {
        "ada": "active",
        "ben": "left",
        "cas": "pending",
        "dee": "pending",
        "eve": "bounced",
        "fay": "active",
    }
    ada = sample.readers["ada"]
    assert (ada.name, ada.joined_at, ada.topics) == ("Ada Lovelace", at(2023, 3, 24, 10, 23, 10), TOPIC)
    assert ada.source == "import of beehiiv.csv: friend"
    assert sample.readers["ben"].left_at == at(2024, 1, 2, 8)
    assert sample.readers["fay"].source == "import of beehiiv.csv: web"
    assert sample.readers["fay"].topics == frozenset()
    assert list(sample.bad) == [8]
    assert sample.columns.ignored == ("tier", "utm_medium", "utm_campaign", "referral_code", "stripe_customer_id")


def test_substack_says_who_pays_which_is_another_matter() -> None:
    sample = read("substack-list")
    assert sample.standings == {"ada": "active", "ben": "left", "cas": "active"}
    assert sample.readers["cas"].joined_at == at(2025, 1, 1)


def test_substack_as_its_dashboard_exports_it() -> None:
    sample = read("substack-dashboard")
    assert sample.standings == {"ada": "active", "ben": "active"}
    ada = sample.readers["ada"]
    assert (ada.name, ada.joined_at, ada.topics) == ("Ada Lovelace", at(2025, 2, 1), TOPIC)
    assert ada.source == "import of substack-dashboard.csv: substack-notes"


def test_mailchimp_in_three_files() -> None:
    assert read("mailchimp-subscribed").standings == {"ada": "active", "ben": "active"}
    assert read("mailchimp-unsubscribed").standings == {"cas": "left", "dee": "complained"}
    assert read("mailchimp-cleaned").standings == {"eve": "bounced"}
    assert read("mailchimp-unsubscribed").readers["cas"].left_at == at(2019, 7, 23, 12, 19, 27)


def test_mailchimp_knows_when_and_from_where_somebody_agreed() -> None:
    sample = read("mailchimp-subscribed")
    ada, ben = sample.readers["ada"], sample.readers["ben"]
    assert (ada.opted_in_at, ada.client) == (at(2018, 2, 5, 19, 30, 1), "192.0.2.8")
    assert (ada.joined_at, ada.topics, ada.name) == (at(2018, 2, 5, 19, 28, 22), TOPIC, "Ada Lovelace")
    assert (ben.opted_in_at, ben.client) == (at(2018, 2, 6), "")


def test_mailchimp_puts_the_address_first_in_a_language_nobody_foresaw() -> None:
    header = Row(1, ["Sähköpostiosoite", "OPTIN_TIME", "MEMBER_RATING"], "")
    assert parse_header(header).places["address"] == 0


def test_listmonk() -> None:
    sample = read("listmonk")
    assert sample.standings == {"ada": "active", "ben": "left", "cas": "suspended"}
    ada = sample.readers["ada"]
    assert (ada.language, ada.topics, ada.joined_at) == ("de", TOPIC, at(2024, 5, 25, 6, 30, 0, 123456))
    assert sample.readers["ben"].joined_at == at(2024, 5, 25, 6, 30, 0, 500000)
    assert sample.bad == {5: "the attributes are not JSON: '{not json'."}


def test_listmonk_with_lists_and_how_each_is_subscribed() -> None:
    sample = read("listmonk-lists")
    assert sample.standings == {"ada": "active", "ben": "left", "cas": "pending", "dee": "left"}
    assert sample.readers["ada"].topics == TOPIC


def test_ghost() -> None:
    sample = read("ghost")
    assert sample.standings == {"ada": "active", "ben": "left", "cas": "left"}
    assert sample.readers["ada"].topics == TOPIC
    assert sample.readers["cas"].left_at == at(2024, 1, 1)
    assert sample.bad == {5: "subscribed to emails is 'perhaps', which is neither true nor false."}


def test_buttondown() -> None:
    sample = read("buttondown")
    assert sample.standings == {
        "ada": "active",
        "ben": "pending",
        "cas": "left",
        "dee": "bounced",
        "eve": "complained",
        "fay": "left",
        "gus": "active",
    }
    ada = sample.readers["ada"]
    assert (ada.client, ada.topics) == ("2001:db8::1", TOPIC)
    assert ada.source == "import of buttondown.csv: embedded_form"
    assert sample.readers["cas"].left_at == at(2024, 2, 2, 12)
    assert (sample.readers["eve"].client, sample.readers["eve"].topics) == ("", TOPIC)


def test_buttondown_as_it_was() -> None:
    sample = read("buttondown-old")
    assert sample.standings == {"ada": "active", "ben": "left"}
    assert sample.readers["ada"].topics == TOPIC


def test_tags_mean_nothing_where_no_topics_are_offered() -> None:
    sample = read("ghost", offered=frozenset())
    assert sample.readers["ada"].topics == frozenset()
    assert "labels" in sample.columns.ignored


def test_a_service_can_be_named() -> None:
    columns = parse_header(Row(1, ["email", "type"], ""), SERVICES["buttondown"])
    reader = parse_row(Row(2, ["ada@example.org", "unactivated"], ""), columns, "import")
    assert isinstance(reader, NewSubscriber)
    assert reader.state == "pending"


def test_two_services_that_may_be_meant_are_both_named() -> None:
    with pytest.raises(UsageError, match=r"Line 1: the file may be from Ghost or Substack. Say which: --from ghost or"):
        parse_header(Row(1, ["email", "subscribed_to_emails", "email_disabled"], ""))


def test_a_record_of_what_became_of_mails_is_no_list_of_readers() -> None:
    with pytest.raises(UsageError, match="not who reads"):
        recognise_service(["postid", "timestamp", "email", "activesubscription", "expiry"])


def test_who_has_a_time_of_leaving_and_no_state_has_left() -> None:
    columns = parse_header(Row(1, ["email", "unsubscribed_at"], ""))
    gone = parse_row(Row(2, ["ada@example.org", "2024-01-01"], ""), columns, "import")
    here = parse_row(Row(3, ["ben@example.org", ""], ""), columns, "import")
    assert isinstance(gone, NewSubscriber)
    assert isinstance(here, NewSubscriber)
    assert (gone.state, gone.left_at, here.state) == ("left", at(2024, 1, 1), "active")
