"""How other programs write the readers they export: which column means what, and which word which state. Pure.

Owns what gives a service away: headings that it alone uses. Every heading here is folded (letters and digits, lower
case), as `policy` compares them. What a file says about who may be mailed is read on the safe side: who left, bounced
or complained there stays out here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from newsletter.errors import UsageError
from newsletter.model.subscriber import SubscriberState, SuppressionReason


class Standing(NamedTuple):
    """How a reader stands: his state, and why he is kept out from now on, if he is."""

    state: SubscriberState
    kept_out: SuppressionReason | None = None


ACTIVE = Standing(SubscriberState.ACTIVE)
PENDING = Standing(SubscriberState.PENDING)
LEFT = Standing(SubscriberState.LEFT, SuppressionReason.LEFT)
SUSPENDED = Standing(SubscriberState.SUSPENDED)
BOUNCED = Standing(SubscriberState.SUSPENDED, SuppressionReason.BOUNCED)
COMPLAINED = Standing(SubscriberState.SUSPENDED, SuppressionReason.COMPLAINED)


@dataclass(frozen=True, slots=True)
class Service:
    """One program's way of writing. `name` is what `--from` takes, `title` what people call it.

    Any of `signs`, a set of headings, gives it away. `columns` replace the common spellings of a meaning, best first:
    a row's first cell that isn't empty counts. `states` are words that mean something else, or nothing, elsewhere.
    `whole_file` says how everybody stands in a file that has a heading. `own_source` keeps a row's source as it is.
    """

    name: str
    title: str
    signs: tuple[frozenset[str], ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    states: Mapping[str, Standing] = field(default_factory=dict)
    whole_file: Mapping[str, Standing] = field(default_factory=dict)
    own_source: bool = False


def _sets(*signs: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(sign.split()) for sign in signs)


def _words(standing: Standing, words: str) -> dict[str, Standing]:
    return dict.fromkeys(words.split(), standing)


PLAIN = Service("csv", "a CSV file", own_source=True)

NEWSLETTER = Service(
    "newsletter", "this program", _sets("address state joinedat cadence"), {"topics": ("topics",)}, own_source=True
)

BEEHIIV = Service(
    "beehiiv",
    "beehiiv",
    _sets(*(f"status {word}" for word in ("tier", "subscriptiontier", "referralcode", "stripecustomerid")))
    + _sets(*(f"status {word}" for word in ("utmsource", "utmchannel", "acquisitionsource", "subscribesource"))),
    {
        "joined_at": ("createdat", "subscribedat", "subscribedate", "subscriptioncreatedat"),
        "left_at": ("unsubscribedat", "unsubscribedate"),
        "source": ("acquisitionsource", "subscribesource", "utmsource", "utmchannel", "referringsite"),
        "topics": ("tags", "subscribertags", "newsletterlists"),
    },
    # "inactive" is who unsubscribed, there; "invalid" an address that nobody can be reached at.
    {
        **_words(LEFT, "inactive deleted"),
        **_words(PENDING, "validating pending needsattention needsapproval paused"),
        **_words(BOUNCED, "invalid"),
    },
)

BUTTONDOWN = Service(
    "buttondown",
    "Buttondown",
    _sets("subscribertype", "emailaddress creationdate", "email creationdate", "undeliverabilitydate"),
    {
        "address": ("emailaddress", "email"),
        "state": ("type", "subscribertype", "status"),
        "joined_at": ("creationdate", "subscriptiondate"),
        "left_at": ("unsubscriptiondate",),
        "bounced_at": ("undeliverabilitydate",),
        "reason": ("unsubscriptionreason",),
        "client": ("ipaddress",),
        "source": ("source", "utmsource", "referrerurl"),
        "topics": ("tags",),
    },
    {
        **_words(ACTIVE, "regular premium trialed unpaid gifted churning churned paused pastdue upcoming free paid"),
        **_words(PENDING, "unactivated"),
        **_words(LEFT, "removed spammy blocked"),
        **_words(BOUNCED, "undeliverable"),
    },
)

GHOST = Service(
    "ghost",
    "Ghost",
    _sets("subscribedtoemails", "complimentaryplan"),
    {
        "state": (),
        "subscribed": ("subscribedtoemails",),
        "deleted_at": ("deletedat",),
        "joined_at": ("createdat",),
        "topics": ("labels",),
    },
)

LISTMONK = Service(
    "listmonk",
    "listmonk",
    _sets("email attributes", "uuid attributes"),
    {
        "state": ("status",),
        "subscription": ("subscriptionstatus",),
        "attributes": ("attributes",),
        "joined_at": ("createdat",),
        "topics": ("lists", "listnames", "tags"),
    },
    {**_words(ACTIVE, "enabled"), **_words(SUSPENDED, "disabled"), **_words(LEFT, "blocklisted blacklisted")},
)

MAILCHIMP = Service(
    "mailchimp",
    "Mailchimp",
    _sets("optintime memberrating", "leid euid", "cleantime optintime", "unsubtime optintime"),
    {
        "state": (),
        "joined_at": ("optintime", "confirmtime"),
        "opted_in_at": ("confirmtime", "optintime"),
        "client": ("confirmip", "optinip"),
        "left_at": ("unsubtime",),
        "reason": ("unsubreason", "unsubreasonother"),
        "bounced_at": ("cleantime",),
        "topics": ("tags",),
    },
    whole_file={"cleantime": BOUNCED, "unsubtime": LEFT},
)

SUBSTACK = Service(
    "substack",
    "Substack",
    _sets("emaildisabled", "activesubscription expiry", "stripeplan startdate", "subscriptionsourcefree"),
    {
        "state": (),
        # Whether somebody pays is another matter: "active subscription" false is who reads for free.
        "disabled": ("emaildisabled", "emailsdisabled"),
        "joined_at": ("createdat", "startdate", "subscriptioncreatedat"),
        "source": ("subscriptionsourcefree", "subscriptionsource"),
        "topics": ("sections",),
    },
)

SERVICES: Mapping[str, Service] = {
    one.name: one for one in (PLAIN, NEWSLETTER, BEEHIIV, BUTTONDOWN, GHOST, LISTMONK, MAILCHIMP, SUBSTACK)
}

_RECORDS = (frozenset({"postid", "timestamp"}), frozenset({"campaignid", "timestamp"}))
"""What became of mails: it has addresses in it, and says nothing about who reads."""


def recognise_service(headings: Collection[str]) -> Service:
    """Return whose file has these folded headings: PLAIN when none is known.

    Raises UsageError when two may be meant, and for a record of what became of mails.
    """
    known = frozenset(headings)
    if any(record <= known for record in _RECORDS):
        raise UsageError("the file says what became of mails, not who reads. Export the list of subscribers.")
    found = [service for service in SERVICES.values() if any(sign <= known for sign in service.signs)]
    if len(found) > 1:
        titles = " or ".join(service.title for service in found)
        names = " or ".join(f"--from {service.name}" for service in found)
        raise UsageError(f"the file may be from {titles}. Say which: {names}.")
    return found[0] if found else PLAIN


def complains(reason: str) -> bool:
    """Return whether a reason for leaving, in another program's words, is a complaint."""
    words = reason.lower()
    return any(sign in words for sign in ("spam", "abuse", "complain", "junk"))
