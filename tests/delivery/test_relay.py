"""The relay: every phase answered every way, TLS insisted on, connections opened and worn out."""

import asyncio
import re
from collections.abc import Callable

import pytest

from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Mail
from newsletter.delivery.policy import Fault, Phase, decide_outcome
from newsletter.model.delivery import Accepted, Deferred, Refused, Reply, Unknown
from tests.delivery.conftest import DROP, Relay
from tests.delivery.relaying import deliver, open_lane, pump

MakeMail = Callable[..., Mail]


async def test_a_mail_arrives_byte_for_byte_with_its_own_return_address(mail: Mail) -> None:
    async with Relay().serve() as relay:
        assert await deliver(relay.smtp(), mail) == [Accepted(Reply(250, "2.0.0", "queued"))]
    sender, recipient = mail.envelope.decode().splitlines()
    assert relay.mails == [(sender[11:-1], "ann@example.net", b"".join(mail.body))]
    assert relay.said == ["EHLO here.test", sender, recipient, "DATA", "QUIT"]


async def test_the_next_envelope_travels_with_the_body_where_the_relay_takes_it(make_mail: MakeMail) -> None:
    script = {"ehlo": "250-relay.test\n250 PIPELINING"}
    async with Relay(script).serve() as relay:
        verdicts = await deliver(relay.smtp(), *(make_mail(f"r{n}@example.net", n) for n in range(5)))
    assert [type(verdict) for verdict in verdicts] == [Accepted] * 5
    assert relay.recipients() == [f"r{n}@example.net" for n in range(5)]
    assert relay.connections == 1


@pytest.mark.parametrize(
    ("phase", "said", "kind"),
    [
        ("greeting", "554 5.3.2 no", Fault),
        ("greeting", "421 4.3.2 busy", Fault),
        ("greeting", DROP, Fault),
        ("ehlo", DROP, Fault),
        ("ehlo", "421 4.3.2 busy", Fault),
        ("mail", "550 5.1.8 not you", Fault),
        ("mail", "451 4.3.0 later", Deferred),
        ("mail", "421 4.3.2 closing", Deferred),
        ("mail", DROP, Deferred),
        ("rcpt", "550 5.1.1 nobody", Refused),
        ("rcpt", "450 4.2.1 greylisted", Deferred),
        ("rcpt", "452 4.5.3 too many", Deferred),
        ("rcpt", "552 5.2.2 full", Deferred),
        ("rcpt", "554 5.7.1 relay access denied", Fault),
        ("rcpt", "421 4.3.2 closing", Deferred),
        ("rcpt", DROP, Deferred),
        ("data", "451 4.3.0 later", Deferred),
        ("data", "554 5.6.0 no", Refused),
        ("data", DROP, Deferred),
        ("dot", "451 4.3.0 later", Deferred),
        ("dot", "421 4.3.2 closing", Deferred),
        ("dot", "554 5.6.0 content", Refused),
        ("dot", "554 5.7.1 spam", Fault),
        ("dot", DROP, Unknown),
        ("dot", "nonsense", Unknown),
        ("rcpt", "nonsense", Deferred),
    ],
)
async def test_every_phase_answered_every_way(mail: Mail, phase: str, said: str, kind: type) -> None:
    async with Relay({phase: said}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), mail)
    assert isinstance(verdict, kind)
    assert relay.mails == []
    if said[:3].isdecimal():
        code, enhanced, text = said.split(" ", 2)
        assert verdict.reply == Reply(int(code), enhanced, text)
    else:
        assert verdict.reply.code == 0
        assert verdict.reply.text


@pytest.mark.parametrize(("phase", "kind"), [("rcpt", Deferred), ("data", Deferred), ("dot", Unknown)])
async def test_a_reply_that_takes_too_long_is_none(mail: Mail, phase: str, kind: type) -> None:
    async with Relay(delays={phase: 1.0}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(timeout=0.2, data_timeout=0.2), mail)
    assert isinstance(verdict, kind)
    assert "didn't answer in time" in verdict.reply.text


async def test_the_final_dot_has_a_time_limit_of_its_own(mail: Mail) -> None:
    async with Relay(delays={"dot": 0.5}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(timeout=0.2, data_timeout=5.0), mail)
    assert isinstance(verdict, Accepted)


async def test_a_connection_lost_amid_the_body_is_unknown_since_nobody_knows_how_much_had_left(mail: Mail) -> None:
    big = mail._replace(body=[b"x: y\r\n" * 4_000_000])
    async with Relay({"ehlo": "250 relay.test"}, drop_in_body=True).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), big)
    assert isinstance(verdict, Unknown)


async def test_a_refusal_leaves_the_connection_fit_for_the_next_mail(make_mail: MakeMail) -> None:
    script = {"rcpt": ["550 5.1.1 nobody", "250 ok"], "dot": ["554 5.6.0 no", "250 2.0.0 queued"]}
    async with Relay(script).serve() as relay:
        verdicts = await deliver(relay.smtp(), *(make_mail(f"r{n}@example.net", n) for n in range(3)))
    assert [type(verdict) for verdict in verdicts] == [Refused, Refused, Accepted]
    assert relay.connections == 1
    assert relay.said.count("RSET") == 1


async def test_a_connection_is_renewed_after_its_share_of_mails(make_mail: MakeMail) -> None:
    async with Relay().serve() as relay:
        mails = [make_mail(f"r{n}@example.net", n) for n in range(5)]
        await deliver(relay.smtp(messages_per_connection=2), *mails)
    assert relay.connections == 3
    assert relay.said.count("QUIT") == 3
    assert len(relay.mails) == 5


async def test_a_connection_is_renewed_after_its_time(make_mail: MakeMail) -> None:
    async with Relay().serve() as relay:
        lane = await open_lane(relay.smtp(connection_minutes=0.1 / 60))
        before = lane.usable
        await asyncio.sleep(0.15)
        assert (before, lane.usable) == (True, False)
        assert await pump(lane, make_mail()) == []
        await lane.close()
    assert relay.said == ["EHLO here.test", "QUIT"]


@pytest.mark.parametrize("farewell", ["421 4.3.2 that was enough", DROP])
async def test_a_used_connection_that_closes_gives_its_mail_back_unsent(make_mail: MakeMail, farewell: str) -> None:
    async with Relay({"mail": ["250 ok", farewell, "250 ok"]}).serve() as relay:
        lane = await open_lane(relay.smtp())
        first, second = await pump(lane, make_mail("a@example.net", 1), make_mail("b@example.net", 2))
        assert not lane.usable
        await lane.close()
    assert isinstance(decide_outcome(first[1].reply, first[1].phase), Accepted)
    assert second[1].phase is Phase.MAIL
    assert second[1].reply.code in (0, 421)
    assert relay.recipients() == ["a@example.net"]


async def test_a_connection_that_closed_while_it_was_idle_asks_for_no_mail(make_mail: MakeMail) -> None:
    async with Relay().serve() as relay:
        lane = await open_lane(relay.smtp())
    await asyncio.sleep(0.05)
    assert await pump(lane, make_mail()) == []
    assert not lane.usable
    await lane.close()


async def test_a_stopped_lane_finishes_what_it_began_and_begins_nothing(make_mail: MakeMail) -> None:
    async with Relay(delays={"dot": 0.1}).serve() as relay:
        lane = await open_lane(relay.smtp())
        asyncio.get_running_loop().call_later(0.05, lane.stop)
        results = await pump(lane, *(make_mail(f"r{n}@example.net", n) for n in range(5)))
        await lane.close()
    assert [result.reply.code for _, result in results] == [250]
    assert relay.recipients() == ["r0@example.net"]


async def test_a_cancelled_pump_says_of_each_mail_whether_it_may_have_arrived(make_mail: MakeMail) -> None:
    script = {"ehlo": "250-relay.test\n250 PIPELINING"}
    async with Relay(script, delays={"dot": 30}).serve() as relay:
        lane = await open_lane(relay.smtp(timeout=60, data_timeout=60))
        waiting, results = [make_mail(f"r{n}@example.net", n) for n in range(5)], list[tuple[Mail, Result]]()
        pumping = asyncio.create_task(
            lane.pump(
                lambda: waiting.pop(0) if waiting else None,
                lambda mail: None,
                lambda mail, result: results.append((mail, result)),
            )
        )
        await asyncio.sleep(0.2)
        pumping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pumping
        assert not lane.usable
    assert [(result.phase is Phase.DOT, result.reply.code) for _, result in results] == [(True, 0), (False, 0)]


async def test_a_relay_that_is_not_there_is_a_fault_of_ours(mail: Mail) -> None:
    async with Relay().serve() as relay:
        smtp = relay.smtp()
    (verdict,) = await deliver(smtp, mail)
    assert isinstance(verdict, Fault)
    assert verdict.phase is Phase.GREETING
    assert str(smtp.port) in verdict.reply.text


async def test_an_address_in_another_script_needs_a_relay_that_offers_smtputf8(make_mail: MakeMail) -> None:
    foreign = make_mail("用户@xn--fsqu00a.example")
    async with Relay().serve() as relay:
        (verdict,) = await deliver(relay.smtp(), foreign)
    assert isinstance(verdict, Refused)
    assert "SMTPUTF8" in verdict.reply.text
    async with Relay({"ehlo": "250-relay.test\n250-8BITMIME\n250 SMTPUTF8"}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), foreign)
    assert isinstance(verdict, Accepted)
    assert relay.said[1].endswith(" SMTPUTF8")
    assert relay.recipients() == ["用户@xn--fsqu00a.example"]


async def test_a_reader_the_relay_cannot_write_to_holds_up_nobody(make_mail: MakeMail) -> None:
    addresses = ["a@example.net", "用户@xn--fsqu00a.example", "b@example.net"]
    async with Relay().serve() as relay:
        verdicts = await deliver(relay.smtp(), *(make_mail(address, n) for n, address in enumerate(addresses)))
    assert sorted(type(verdict).__name__ for verdict in verdicts) == ["Accepted", "Accepted", "Refused"]
    assert relay.recipients() == ["a@example.net", "b@example.net"]


async def test_helo_is_enough_for_a_relay_that_knows_no_ehlo(mail: Mail) -> None:
    async with Relay({"ehlo": "502 5.5.1 what"}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), mail)
    assert isinstance(verdict, Accepted)
    assert relay.said[:2] == ["EHLO here.test", "HELO here.test"]


@pytest.mark.parametrize(("stated", "taken"), [("SIZE 10", False), ("SIZE 10000000", True), ("SIZE", True)])
async def test_a_mail_larger_than_the_relay_takes_is_not_even_begun(mail: Mail, stated: str, taken: bool) -> None:
    async with Relay({"ehlo": f"250-relay.test\n250-8BITMIME\n250 {stated}"}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), mail)
    if taken:
        assert isinstance(verdict, Accepted)
        return
    assert isinstance(verdict, Fault)
    assert verdict.reply.enhanced == "5.3.4"
    assert not [line for line in relay.said if line.startswith("MAIL")]


async def test_reports_are_told_which_mail_it_was_where_the_relay_offers_it(make_mail: MakeMail) -> None:
    mail = make_mail("a+b=c@example.net")
    async with Relay({"ehlo": "250-relay.test\n250-PIPELINING\n250 DSN"}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), mail)
    assert isinstance(verdict, Accepted)
    sender, recipient = (line for line in relay.said if line.startswith(("MAIL", "RCPT")))
    envelope_id = re.search(r"<b\+([a-z2-7]{32})@", sender)
    assert envelope_id
    assert sender.endswith(f"> RET=HDRS ENVID={envelope_id[1]}")
    assert recipient == "RCPT TO:<a+b=c@example.net> ORCPT=rfc822;a+2Bb+3Dc@example.net"
