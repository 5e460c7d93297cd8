"""The client on real sockets: time limits, back-pressure, and a server that speaks out of turn."""

import asyncio
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer

import aiosmtplib
import pytest

from newsletter.delivery.exchange import Prepared
from newsletter.delivery.policy import Phase
from tests.delivery.talks import (
    ON_EACH_LOOP,
    SENT,
    Play,
    Sending,
    connected,
    greet,
    make_wire,
    serve,
    take_all,
    take_envelope,
    take_mails,
)

pytestmark = ON_EACH_LOOP


def test_a_connection_is_pumped_again_and_again(play: Play) -> None:
    async def scene() -> None:
        async with connected(take_all) as wire:
            for count in (1, 0, 300):
                sending = await Sending(count).over(wire)
                assert sending.results == dict.fromkeys(range(1, count + 1), SENT)
                assert wire.is_connected

    play(scene())


def test_without_any_extension_it_waits_for_each_reply(play: Play) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        writer.write(b"220 relay.test\r\n")
        await reader.readuntil(b"\r\n")
        writer.write(b"502 5.5.1 never heard of it\r\n")
        assert await reader.readuntil(b"\r\n") == b"HELO here.test\r\n"
        writer.write(b"250 relay.test\r\n")
        for _ in range(3):
            for verb, answer in ((b"MAIL", b"250 ok"), (b"RCPT", b"250 ok"), (b"DATA", b"354 go on")):
                assert (await reader.readuntil(b"\r\n"))[:4] == verb
                await asyncio.sleep(0.01)
                assert not reader._buffer, "it didn't wait"  # type: ignore[attr-defined]
                writer.write(answer + b"\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 ok\r\n")
        await reader.read()

    async def scene() -> None:
        async with connected(talk) as wire:
            assert (await Sending(3).over(wire)).results == dict.fromkeys((1, 2, 3), SENT)

    play(scene())


def test_a_server_that_goes_away_leaves_each_mail_its_verdict(play: Play) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING")
        await take_mails(reader, writer, 2)
        await take_envelope(reader, writer)
        await reader.readuntil(b"\r\n.\r\n")

    async def scene() -> None:
        async with connected(talk) as wire:
            sending = await Sending(9).over(wire)
            assert sending.results == {1: SENT, 2: SENT, 3: (Phase.DOT, 0), 4: (Phase.MAIL, 0)}
            assert not wire.is_connected
            with pytest.raises(aiosmtplib.SMTPServerDisconnected):
                await Sending(1).over(wire)

    play(scene())


def test_the_final_dot_is_given_more_time_than_a_command(play: Play) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING")
        await take_envelope(reader, writer)
        await reader.readuntil(b"\r\n.\r\n")
        await asyncio.sleep(0.5)
        writer.write(b"250 at last\r\n")
        await reader.read()

    async def scene() -> None:
        async with connected(talk, timeout=0.2, data_timeout=5.0) as wire:
            begin = asyncio.get_running_loop().time()
            # The second mail's envelope is out, and nobody answers it: that ends it.
            assert (await Sending(2).over(wire)).results == {1: SENT, 2: (Phase.MAIL, 0)}
            assert 0.6 < asyncio.get_running_loop().time() - begin < 2
            assert not wire.is_connected

    play(scene())


def test_a_silent_server_is_left_in_time_and_after_the_dot_nobody_knows(play: Play) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING")
        await take_envelope(reader, writer)
        await reader.read()

    async def scene() -> None:
        async with connected(talk, timeout=5.0, data_timeout=0.2) as wire:
            assert (await Sending(1).over(wire)).results == {1: (Phase.DOT, 0)}

    play(scene())


def test_one_byte_now_and_then_is_no_answer(play: Play) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING")
        await reader.readuntil(b"DATA\r\n")
        for byte in b"250 " + b"x" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.03)

    async def scene() -> None:
        async with connected(talk, timeout=0.3) as wire:
            begin = asyncio.get_running_loop().time()
            assert (await Sending(1).over(wire)).results == {1: (Phase.MAIL, 0)}
            assert asyncio.get_running_loop().time() - begin < 2

    play(scene())


def test_a_server_that_doesnt_read_isnt_buried_in_bodies(play: Play) -> None:
    size = 4_000_000
    go_on = asyncio.Event()

    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING", "CHUNKING")
        await go_on.wait()
        for number in range(20):
            for _ in range(3 if number else 2):
                await reader.readuntil(b"\r\n")
                writer.write(b"250 ok\r\n")
            chunk = int((await reader.readuntil(b"\r\n")).split()[1])
            await reader.readexactly(chunk)
            writer.write(b"250 ok\r\n")
        await reader.read()

    async def scene() -> None:
        async with connected(talk, window=20) as wire:
            sending = Sending(20, size)
            pump = asyncio.create_task(sending.over(wire))
            await asyncio.sleep(0.3)
            # One body fills the socket's and the program's buffers; what is behind it is not even composed.
            assert len(sending.announced) <= 3
            go_on.set()
            await pump
            assert sending.results == dict.fromkeys(range(1, 21), SENT)

    play(scene())


def test_stop_finishes_what_is_begun_and_leaves_the_connection_usable(play: Play) -> None:
    async def scene() -> None:
        async with connected(take_all) as wire:
            sending = Sending(1_000_000)
            pump = asyncio.create_task(sending.over(wire))
            await asyncio.sleep(0.05)
            wire.stop()
            await pump
            assert 0 < len(sending.results) == sending.begun < 1_000_000
            assert set(sending.results.values()) == {SENT}
            assert wire.is_connected
            wire.stop()  # when nothing runs it means nothing
            assert (await Sending(2).over(wire)).results == {1: SENT, 2: SENT}

    play(scene())


def test_stop_before_the_first_mail_is_begun_begins_none(play: Play) -> None:
    async def scene() -> None:
        async with connected(take_all) as wire:
            sending = Sending(9)
            pump = asyncio.create_task(sending.over(wire))
            await asyncio.sleep(0)  # it is saying EHLO
            wire.stop()
            await pump
            assert sending.begun == 0
            assert wire.is_connected

    play(scene())


def test_a_cancelled_pump_settles_what_was_begun_and_closes(play: Play) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING")
        await take_mails(reader, writer, 1)
        await take_envelope(reader, writer)
        await reader.read()

    async def scene() -> None:
        async with connected(talk) as wire:
            sending = Sending(9)
            pump = asyncio.create_task(sending.over(wire))
            while len(sending.announced) < 2:
                await asyncio.sleep(0.01)
            pump.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pump
            assert sending.results == {1: SENT, 2: (Phase.DOT, 0), 3: (Phase.MAIL, 0)}
            assert not wire.is_connected

    play(scene())


class DiskFullError(Exception):
    pass


def test_an_error_of_the_callers_is_raised_and_closes(play: Play) -> None:
    async def scene() -> None:
        async with connected(take_all) as wire:
            sending = Sending(9)

            def before_body(message: Prepared[int]) -> None:
                if message.key == 3:
                    raise DiskFullError

            with pytest.raises(DiskFullError):
                await wire.pump(sending.next_message, before_body, sending.on_result)
            assert sending.results == {1: SENT, 2: SENT, 3: (Phase.DATA, 0)}
            assert not wire.is_connected

    play(scene())


def test_two_pumps_dont_share_a_connection(play: Play) -> None:
    async def scene() -> None:
        async with connected(take_all) as wire:
            first = Sending(50)
            pump = asyncio.create_task(first.over(wire))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="one pump at a time"):
                await Sending(1).over(wire)
            await pump
            assert set(first.results.values()) == {SENT}

    play(scene())


def test_what_a_server_says_unasked_ends_the_connection_before_a_mail_is_begun(play: Play) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING")
        await take_mails(reader, writer, 1)
        await asyncio.sleep(0.05)
        writer.write(b"421 4.4.2 idle for too long\r\n")
        await reader.read()

    async def scene() -> None:
        async with connected(talk) as wire:
            await Sending(1).over(wire)
            await asyncio.sleep(0.1)
            assert not wire.is_connected
            sending = Sending(1)
            with pytest.raises(aiosmtplib.SMTPServerDisconnected):
                await sending.over(wire)
            assert sending.begun == 0

    play(scene())


@pytest.mark.parametrize("at", ["greeting", "ehlo"])
def test_a_reply_too_many_before_the_first_mail_is_refused(play: Play, at: str) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        writer.write(b"220 relay.test\r\n" + (b"250 planted\r\n" if at == "greeting" else b""))
        await reader.readuntil(b"\r\n")
        writer.write(b"250 relay.test\r\n250 planted\r\n")
        await reader.read()

    async def scene() -> None:
        async with serve(talk) as port:
            wire, sending = make_wire(port), Sending(1)
            if at == "ehlo":
                await wire.connect()
            with pytest.raises(aiosmtplib.SMTPException):
                await (sending.over(wire) if at == "ehlo" else wire.connect())
            assert sending.begun == 0
            assert not wire.is_connected

    play(scene())


def test_nobody_listens_and_nobody_greets(play: Play) -> None:
    async def hang_up(reader: Reader, writer: Writer) -> None:
        pass

    async def say_nothing(reader: Reader, writer: Writer) -> None:
        await reader.read()

    async def turn_away(reader: Reader, writer: Writer) -> None:
        writer.write(b"554 5.7.1 go away\r\n")
        await reader.read()

    async def scene() -> None:
        async with serve(hang_up) as port:
            with pytest.raises(aiosmtplib.SMTPConnectError):
                await make_wire(port).connect()
        with pytest.raises(aiosmtplib.SMTPConnectError, match="can't be reached"):
            await make_wire(port).connect()
        async with serve(say_nothing) as port:
            with pytest.raises(aiosmtplib.SMTPConnectTimeoutError, match=r"doesn't answer within 0\.2 s"):
                await make_wire(port, timeout=0.2).connect()
        async with serve(turn_away) as port:
            with pytest.raises(aiosmtplib.SMTPConnectResponseError) as caught:
                await make_wire(port).connect()
            assert (caught.value.code, caught.value.message) == (554, "5.7.1 go away")

    play(scene())


def test_a_command_that_fails_closes_the_connection(play: Play) -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING")
        await reader.readuntil(b"NOOP\r\n")
        writer.write(b"what?\r\n")
        await reader.read()

    async def scene() -> None:
        async with connected(talk) as wire:
            with pytest.raises(aiosmtplib.SMTPResponseException):
                await wire.noop()
            assert not wire.is_connected

    play(scene())
