"""One look at all that can be looked into: mailboxes, and what servers refused while sending. A tick calls it."""

from collections.abc import Callable
from datetime import timedelta

from newsletter import config
from newsletter.bounces.intake import Desk, take_refusals
from newsletter.bounces.mailbox import drain_imap, drain_maildir
from newsletter.store.bounces import prune_reports


def poll_bounces(desk: Desk, rules: config.Bounces, find_password: Callable[[], str]) -> dict[str, int]:
    """Take in what is there, and forget what is old; return how many mails, refusals, and readers whose mail ended.

    Raises NewsletterError when a mailbox can't be read, after all others were.
    """
    taken = drain_maildir(desk, rules.maildir) if rules.maildir else []
    refusals = take_refusals(desk)
    with desk.database.transaction() as connection:
        prune_reports(connection, desk.clock() - timedelta(days=rules.keep_days))
    if rules.imap_host:
        taken += drain_imap(desk, rules, find_password())
    ended = sum(1 for one in taken if one.judgement and one.judgement.verdict.ends)
    return {"mails": len(taken), "ended": ended, "refusals": refusals}
