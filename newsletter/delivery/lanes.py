"""Where mail goes: a transport, and the lanes it opens. Two ship: the relay (SMTP) and the outbox (a folder)."""

from collections.abc import Callable
from typing import Protocol

from newsletter.delivery.exchange import Prepared, Result
from newsletter.delivery.policy import Fault
from newsletter.model.delivery import Delivery

Mail = Prepared[Delivery]


class Lane(Protocol):
    """One way to hand over mails, one after another; for one pump at a time."""

    @property
    def usable(self) -> bool:
        """Return whether more mail may be pumped here."""

    async def pump(
        self,
        next_mail: Callable[[], Mail | None],
        before_body: Callable[[Mail], None],
        on_result: Callable[[Mail, Result], None],
    ) -> None:
        """Hand over what `next_mail` gives until it gives None or the lane is worn out; wait for the answers.

        `before_body` is called right before a mail may arrive, `on_result` once for each mail.
        """

    def stop(self) -> None:
        """Begin no further mail."""

    async def close(self) -> None:
        """End politely."""


class Transport(Protocol):
    """A relay or the outbox. `name` is for messages; `width` is how many lanes are worth having."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102

    async def open_lane(self) -> Lane | Fault:
        """Return a lane that is ready for mail, or what stands in the way."""
