"""What can be configured about mail that comes back."""

from pydantic import Field

from newsletter.config.values import Table


class Bounces(Table):
    """What comes back: how patient to be with readers whose mail does."""

    soft_issues: int = Field(
        5,
        ge=2,
        le=1000,
        description="A reader whose mail came back for so many issues, each time for a reason that may pass, is told "
        "which he missed. When that comes back, too, and a last probe after it, he is suspended.",
    )
    soft_days: int = Field(5, ge=1, le=365, description="And only when that was on so many different days.")
    quiet_days: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Mail that hasn't come back after so many days has arrived, and what was before it is forgiven.",
    )
    keep_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="How long mail is kept that a human should look at, and the list of what came in.",
    )
    blame_alert: int = Field(
        20,
        ge=1,
        description="Tell the editor when so many readers' servers blamed us on one day: reputation, authentication, "
        "content, rate.",
    )
