"""Mails handed to a relay without an engine, and what came of them."""

import asyncio

from newsletter.config import Smtp
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail
from newsletter.delivery.policy import Fault, Phase, Verdict, decide_outcome
from newsletter.delivery.relay import RelayTransport


async def open_lane(smtp: Smtp, password: str = "") -> Lane:
    lane = await RelayTransport(smtp, password).open_lane()
    assert not isinstance(lane, Fault), lane
    return lane


async def pump(lane: Lane, *mails: Mail) -> list[tuple[Mail, Result]]:
    """Pump mails through one connection; hold what it announced against what may have arrived."""
    waiting, results, announced = list(mails), list[tuple[Mail, Result]](), list[Mail]()
    async with asyncio.timeout(20):
        await lane.pump(
            lambda: waiting.pop(0) if waiting else None,
            announced.append,
            lambda mail, result: results.append((mail, result)),
        )
    assert len({mail.key.id for mail, _ in results}) == len(results)
    assert all(mail in announced for mail, result in results if result.phase is Phase.DOT)
    return results


async def deliver(smtp: Smtp, *mails: Mail, password: str = "") -> list[Verdict]:
    """Deliver one after the other, each lane until it is worn out; a mail that was not taken has no verdict."""
    transport, waiting, verdicts = RelayTransport(smtp, password), list(mails), list[Verdict]()
    while waiting:
        lane = await transport.open_lane()
        if isinstance(lane, Fault):
            return [*verdicts, lane]
        results = await pump(lane, *waiting)
        await lane.close()
        verdicts += [decide_outcome(result.reply, result.phase) for _, result in results]
        del waiting[: len(results)]
    return verdicts
