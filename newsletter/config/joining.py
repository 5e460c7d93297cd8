"""What can be configured about how readers join, and what keeps others from joining them."""

from pydantic import Field

from newsletter.config.values import Table


class Joining(Table):
    """How readers join by themselves, and how often anybody may try."""

    double_opt_in: bool = Field(
        True,
        description="Whoever joins is written a mail and reads only once he has confirmed. Without it anybody can "
        "join anybody; who has left before is asked to confirm even then.",
    )
    confirm_days: int = Field(
        7, ge=1, le=60, description="How long the link in that mail works. Who never uses it is forgotten then."
    )
    cooling_minutes: int = Field(
        60,
        ge=1,
        le=10_080,
        description="An address is written to at most once in this time, however often it is given.",
    )
    per_address_per_week: int = Field(
        5, ge=1, le=1000, description="And at most so often in a week, so that nobody can be pestered."
    )
    per_client_per_hour: int = Field(
        20,
        ge=1,
        le=100_000,
        description="How often one client (an IPv4 address, an IPv6 network) may ask in an hour, in the long run.",
    )
    per_client_burst: int = Field(10, ge=1, le=100_000, description="How often it may ask at once.")
    per_hour: int = Field(
        2000, ge=0, le=10_000_000, description="How often all clients together may ask in an hour. 0: no limit."
    )
    min_seconds: float = Field(
        2.0, ge=0, le=60, description="Who sends a form sooner than this after he got it is a program."
    )
    form_hours: float = Field(
        24.0, ge=0.5, le=168, description="A form that is older is shown again, to be sent once more."
    )
    moves_per_day: int = Field(
        3, ge=1, le=100, description="How often a reader may ask to change his address in a day."
    )
    wording: str = Field(
        "Yes, send me this newsletter by mail. I can leave at any time, with one click in each mail.",
        min_length=1,
        max_length=2000,
        description="What whoever joins agrees to, shown with the form and kept with each reader's record.",
    )
