"""The gate: holds the mails that are ready, and says which of them may go now.

Owns the order of mails, who is set aside, and who is sent back to the ledger until his turn comes. How much may leave
is `delivery.meter`; what the ledger writes is `delivery.books`.

Mails go in the order they came. A mail whose domain may get nothing now is set aside with its like, and others pass it
by. So that one slow domain doesn't fill all that is claimed, only what it may get within `HOLD` seconds is kept at
hand, and of all slow domains together no more than half of what is claimed; the rest is given back to the ledger with
the time at which its turn comes, as fast as the domain is now. Nobody stays away for much longer than `REST`, or the
domain would be held to what it once was when it recovers: whoever is early is given back again. When very many are
given back they stay longer, so that no more than about `RETURNS` a second come and go.

With no limit configured, and as long as nobody complains, none of this costs more than a queue.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from heapq import heappop, heappush
from math import inf
from typing import Final

from newsletter import config
from newsletter.delivery.domains import Domains, Queue, parse_domain
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Mail
from newsletter.delivery.meter import Meters, make_limits
from newsletter.delivery.pace import is_complaint
from newsletter.delivery.policy import Phase
from newsletter.model.delivery import PACED, Delivery

OVERALL: Final = "all"

HOLD: Final = 10.0
"""Seconds' worth of mails that a slow domain has at hand."""

REST: Final = 60.0
"""Seconds that mails stay in the ledger before they are judged again, if their turn comes later."""

RETURNS: Final = 500.0
"""Mails a second that are judged again when there are very many."""

EARLY: Final = 2.0
"""Seconds by which mails are back before their turn."""

PULSE: Final = 0.01
"""Seconds that are waited at least: waking every lane for each mail costs more than it gains."""

_TICK: Final = 1e-6  # seconds; so that a wait that is over is over by every rounding
_GOLDEN: Final = 0.6180339887  # its multiples, less their whole parts, are spread evenly over 0 to 1

Return = tuple[Delivery, datetime]
"""A delivery to give back to the ledger, and when it is due again."""


class Gate:
    """The mails of a run that are ready; `ahead` is how many the run claims at once. For one event loop."""

    def __init__(self, rules: config.Pace, ahead: int, meters: Meters) -> None:
        self._clock = meters.clock
        self._meters = meters
        self._adapt = rules.adapt
        self._room = max(1, ahead // 2)
        self._ready: deque[Mail] = deque()
        self.aside = 0  # mails that wait for their domain's turn; only read
        self._slow = 0  # domains for which mails are set aside
        self._turns: list[tuple[float, int, Queue]] = []  # a heap; the number keeps equals in order
        self._number = 0
        self._owed = 0
        self._due = -inf
        limits = make_limits(rules.per_second, rules.per_hour, rules.per_day)
        self._overall = meters.find(OVERALL, limits) if limits else None
        self._domains = Domains(rules, meters)
        self._note = self._domains.note
        self._plain = False
        self._choose_way()

    def __len__(self) -> int:
        return len(self._ready) + self.aside

    def extend(self, mails: Iterable[Mail]) -> None:
        """Take mails that are ready."""
        self._ready.extend(mails)

    def pop(self) -> Mail | None:
        """Hand out the next mail that may go now; `finish` it."""
        if self._plain:
            ready = self._ready
            return ready.popleft() if ready else None
        return self._pop_paced()

    def wait(self) -> float | None:
        """Return the seconds until `pop` may have something; None when only new mails or answers can change that."""
        if self._ready:
            needed = 0.0
        elif self._turns:
            needed = self._turns[0][0] - self._clock()
        else:
            return None
        if self._overall is not None:
            needed = max(needed, self._overall.wait(self._clock()))
        return max(needed + _TICK, PULSE) if needed > 0 else 0.0

    def finish(self, mail: Mail, result: Result) -> bool:
        """Take note of the answer to a mail that was handed out; return whether lanes that wait should look again."""
        if self._plain and result.reply.code < 400:
            self._note((self._clock(), mail.key.address))
            return False
        return self._finish_paced(mail, result)

    def push_back(self, mail: Mail) -> None:
        """Take back a mail that was finished without an answer: it is the next again."""
        queue = self._domains.find(mail.key)
        if queue is not None and queue.aside:
            queue.aside.appendleft(mail)
            self.aside += 1
        else:
            self._ready.appendleft(mail)

    # So that a slow domain doesn't fill all that is claimed

    @property
    def owes(self) -> bool:
        """Return whether mails that were given back will be due again; the run goes on for them."""
        return self._owed > 0 and self._clock() < self._due + EARLY

    def turn_away(self, claimed: Sequence[Delivery]) -> tuple[Sequence[Delivery], list[Return]]:
        """Choose among deliveries that were just claimed: who is made ready, and who goes back."""
        if not self._domains:
            return claimed, []
        welcome: list[Delivery] = []
        away: list[Return] = []
        moment = self._meters.moment()
        for delivery in claimed:
            queue = self._domains.find(delivery)
            if queue is None or not queue.limited:
                welcome.append(delivery)
                continue
            if queue.owed and delivery.reply is not None and delivery.reply.text == PACED:
                queue.owed -= 1
                self._owed -= 1
            keep = self._keep(queue)
            if max(len(queue.aside), queue.coming) < keep:
                queue.coming += 1
                welcome.append(delivery)
            else:
                away.append((delivery, moment.to_time(self._book(queue, keep, moment.now))))
        return welcome, away

    def let_go(self, delivery: Delivery) -> None:
        """Forget somebody who was welcome and won't come: no mail could be made for him."""
        queue = self._domains.find(delivery)
        if queue is not None:
            queue.coming = max(0, queue.coming - 1)

    def give_back(self) -> list[Return]:
        """Return mails that are ready and too many of their domain; they are not held any more."""
        given: list[Return] = []
        for queue in self._domains if self.aside else ():
            keep = self._keep(queue)
            if len(queue.aside) > 2 * keep:  # not for a few
                given += self._give_back(queue, keep)
        self._domains.forget_idle(self._clock())
        self._choose_way()
        return given

    def give_back_all(self) -> list[Return]:
        """Return all mails that only wait for their domain's turn; they are not held any more."""
        return [given for queue in self._domains for given in self._give_back(queue, 0)] if self.aside else []

    def _give_back(self, queue: Queue, keep: int) -> list[Return]:
        moment = self._meters.moment()
        surplus = [queue.aside.pop() for _ in range(len(queue.aside) - keep)]
        self.aside -= len(surplus)
        self._slow -= bool(surplus) and not queue.aside
        queue.coming = max(0, queue.coming - len(surplus))
        return [(mail.key, moment.to_time(self._book(queue, keep, moment.now))) for mail in reversed(surplus)]

    def _keep(self, queue: Queue) -> int:
        """Return how many mails of a slow domain are kept at hand."""
        return max(1, int(min(queue.rate * HOLD, self._room / max(1, self._slow))))

    def _book(self, queue: Queue, ahead: int, now: float) -> float:
        """Return when to try again who comes behind those at hand, and behind those that the ledger has already."""
        queue.owed += 1
        self._owed += 1
        turn = (ahead + queue.owed) / queue.rate - EARLY
        spread = 0.5 + self._owed * _GOLDEN % 1  # so that those who were given back together don't return together
        due = now + max(1.0, min(turn, spread * (REST + self._owed / RETURNS)))
        self._due = max(self._due, due)
        return due

    # With limits, or after complaints

    def _choose_way(self) -> None:
        self._plain = not (self._domains or self._overall)

    def _pop_paced(self) -> Mail | None:
        now, overall = self._clock(), self._overall
        if overall is not None and overall.wait(now) > 0:
            return None
        mail = self._pop_aside(now) or self._pop_ready(now)
        if mail is not None and overall is not None:
            overall.take(now)
        return mail

    def _pop_aside(self, now: float) -> Mail | None:
        """Hand out a mail that was set aside and whose domain may have it now."""
        while self._turns and self._turns[0][0] <= now:
            queue = heappop(self._turns)[2]
            queue.scheduled = False
            mail: Mail | None = None
            if queue.aside and not queue.wait(now):
                mail = queue.aside.popleft()
                self.aside -= 1
                self._slow -= not queue.aside
                queue.hand_out(now)
            self._schedule(queue, now)
            if mail is not None:
                return mail
        return None

    def _pop_ready(self, now: float) -> Mail | None:
        """Hand out the first mail whose domain may have it now, and set aside those before it."""
        while self._ready:
            mail = self._ready.popleft()
            queue = self._domains.find(mail.key)
            if queue is None:
                return mail
            if not queue.aside and not queue.wait(now):
                queue.hand_out(now)
                return mail
            self._slow += not queue.aside
            queue.set_aside(mail, now)
            self.aside += 1
            self._schedule(queue, now)
        return None

    def _schedule(self, queue: Queue, now: float) -> None:
        """Note a queue's turn. One that waits for an answer gets its turn when that comes."""
        if queue.aside and not queue.scheduled and not queue.full:
            wait = queue.meter.wait(now)
            self._number += 1
            heappush(self._turns, (now + wait + _TICK if wait else now, self._number, queue))
            queue.scheduled = True

    def _finish_paced(self, mail: Mail, result: Result) -> bool:
        now, queue = self._clock(), self._domains.find(mail.key)
        # A 4xx to MAIL is the relay's, which knows no reader yet.
        complains = self._adapt and result.phase is not Phase.MAIL and is_complaint(result.reply)
        if queue is None or queue.meter.bearing is None:
            self._note((now, mail.key.address))
        if queue is None:
            if not complains:
                return False
            queue = self._look_after(parse_domain(mail.key.address), now)
        queue.finish(now)
        if complains:
            queue.meter.complain(now, lambda: self._domains.measure(parse_domain(mail.key.address), now)[1])
        elif result.reply.code:  # a connection that was lost says nothing
            queue.meter.note(now, accepted=result.reply.code < 400)
        waited = not queue.scheduled
        self._schedule(queue, now)
        return waited and queue.scheduled

    def _look_after(self, domain: str, now: float) -> Queue:
        """Look after a domain that complains for the first time."""
        self._domains.forget_idle(now)
        queue = self._domains.look_after(domain)
        queue.meter.remember(self._domains.measure(domain, now)[0])
        self._choose_way()
        return queue
