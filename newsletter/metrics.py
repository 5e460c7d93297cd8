"""The numbers for Prometheus: a publication's ledger, counted when they are asked for (only importer of its client).

Owns the names of the metrics. Nothing is kept between two questions, so a restart loses nothing; no name or address of
a reader is in them.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from newsletter import __version__
from newsletter.model.slot import SlotState
from newsletter.watching import Overview

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_STATE: Final = ["publication", "state"]
OTHER_DOMAINS: Final = "other"
"""Stands for all but the busiest domains, so that strangers' addresses don't make metrics without end."""

OUTCOMES: Final = ("sent", "queued", "deferred", "failed", "cancelled", "unknown", "excluded")


def render_metrics(overviews: Iterable[Overview]) -> bytes:
    """Return the metrics of publications in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counted(list(overviews)))
    return generate_latest(registry)


class _Counted(Collector):
    """What a registry asks for its metrics."""

    def __init__(self, overviews: list[Overview]) -> None:
        self._overviews = overviews

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of every publication."""
        info = InfoMetricFamily("newsletter_build", "The program that answers.")
        info.add_metric([], {"version": __version__})
        yield info
        yield from self._collect_deliveries()
        yield from self._collect_queue()
        yield from self._collect_slots()
        yield from self._collect_returns()
        yield from self._collect_rest()

    def _collect_deliveries(self) -> Iterator[Metric]:
        labels = ["publication", "edition", "outcome"]
        counts = GaugeMetricFamily("newsletter_deliveries", "Readers of the newest editions by outcome.", labels=labels)
        holds = GaugeMetricFamily(
            "newsletter_audit_holds", "1 while every reader due is accounted for.", labels=["publication", "edition"]
        )
        rates = GaugeMetricFamily(
            "newsletter_send_rate", "Readers sent to a second, over half a minute.", labels=["publication", "edition"]
        )
        for view in self._overviews:
            for line, audit in view.recent:
                for outcome in OUTCOMES:
                    counts.add_metric([view.publication, line.slug, outcome], getattr(audit, outcome))
                holds.add_metric([view.publication, line.slug], audit.holds)
            for moving in view.moving:
                rates.add_metric([view.publication, moving.edition.slug], moving.rate)
        yield from (counts, holds, rates)

    def _collect_queue(self) -> Iterator[Metric]:
        sizes = GaugeMetricFamily("newsletter_queue", "Readers who wait, by state.", labels=_STATE)
        ages = GaugeMetricFamily(
            "newsletter_queue_age_seconds",
            "How long the one who waits longest could have been sent to.",
            labels=["publication"],
        )
        for view in self._overviews:
            if view.backlog is None:
                continue
            for state in ("queued", "deferred", "sending", "unknown"):
                sizes.add_metric([view.publication, state], getattr(view.backlog, state))
            oldest = view.backlog.oldest_at
            age = max(0.0, (view.now - oldest).total_seconds()) if oldest else 0.0
            ages.add_metric([view.publication], age)
        yield from (sizes, ages)

    def _collect_slots(self) -> Iterator[Metric]:
        labels = ["publication", "kind", "day"]
        states = GaugeMetricFamily("newsletter_slot_state", "1 for the state a slot is in.", labels=[*labels, "state"])
        times = GaugeMetricFamily("newsletter_slot_due_timestamp_seconds", "When a slot is due.", labels=labels)
        for view in self._overviews:
            for slot in view.slots:
                names = [view.publication, str(slot.key.kind), str(slot.key.day)]
                for state in SlotState:
                    states.add_metric([*names, str(state)], slot.state is state)
                times.add_metric(names, slot.due_at.timestamp())
        yield from (states, times)

    def _collect_returns(self) -> Iterator[Metric]:
        labels = ["publication", "domain"]
        mails = GaugeMetricFamily("newsletter_decided_mails", "Mails of a week that servers decided on.", labels=labels)
        returns = GaugeMetricFamily(
            "newsletter_returns", "What came back in a week, by reason.", labels=[*labels, "reason"]
        )
        shares = GaugeMetricFamily(
            "newsletter_return_share", "Shares of a week's mail that came back.", labels=["publication", "kind"]
        )
        for view in self._overviews:
            if view.rates is None:
                continue
            for rate in view.rates.domains:
                names = [view.publication, rate.domain or OTHER_DOMAINS]
                mails.add_metric(names, rate.mails)
                for reason, count in rate.reasons.items():
                    returns.add_metric([*names, str(reason)], count)
            total = view.rates.total
            shares.add_metric([view.publication, "bounced"], total.bounced)
            shares.add_metric([view.publication, "complained"], total.complained)
        yield from (mails, returns, shares)

    def _collect_rest(self) -> Iterator[Metric]:
        ticks = GaugeMetricFamily(
            "newsletter_tick_timestamp_seconds", "When a tick last went well.", labels=["publication", "tick"]
        )
        notices = GaugeMetricFamily("newsletter_notices", "Letters by state.", labels=_STATE)
        calls = GaugeMetricFamily(
            "newsletter_calls", "Webhooks and heartbeats by state.", labels=["publication", "state"]
        )
        needs = GaugeMetricFamily("newsletter_needs_human", "Things that need a human.", labels=["publication"])
        for view in self._overviews:
            for tick, at in sorted(view.ticks.items()):
                ticks.add_metric([view.publication, tick], at.timestamp())
            for state, count in view.notices.items():
                notices.add_metric([view.publication, str(state)], count)
            for name, count in view.calls.items():
                calls.add_metric([view.publication, name], count)
            needs.add_metric([view.publication], len(view.needs))
        yield from (ticks, notices, calls, needs)
