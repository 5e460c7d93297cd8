"""What can be configured about when issues go out, and who is told. Frozen values."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from newsletter.config.times import Timetable, parse_cron, parse_monthly, parse_time, parse_weekday, parse_weekly
from newsletter.config.values import Address, FilePath, OptionalCall, Table


def _optional_time(text: str) -> str:
    return text if not text else f"{parse_time(text):%H:%M}"


def _weekdays(names: tuple[str, ...]) -> tuple[str, ...]:
    numbers = [parse_weekday(name) for name in names]
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError('names no day, or one twice; write it like ["mon", "wed", "fri"]')
    return names


def _cron(text: str) -> str:
    if text:
        parse_cron(text)
    return text


def _weekly(text: str) -> str:
    if text:
        parse_weekly(text)
    return text


def _monthly(text: str) -> str:
    if text:
        parse_monthly(text)
    return text


class Schedule(Table):
    """When issues go out by themselves, in [publication] time_zone, while `serve` or `scheduler` runs."""

    at: Annotated[str, AfterValidator(_optional_time)] = Field(
        "",
        description='The time of day at which the issue with that day\'s date is published, like "07:30". In the hour '
        "that a clock change skips it goes out when that hour is over, in the hour that comes twice at the first time. "
        "Empty, and cron empty: nothing goes out by itself.",
    )
    days: Annotated[tuple[str, ...], AfterValidator(_weekdays)] = Field(
        ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), description="The weekdays on which there is an issue."
    )
    cron: Annotated[str, AfterValidator(_cron)] = Field(
        "", description='In place of at and days, a line of crontab(5), like "30 7 * * mon-fri". One time a day.'
    )
    late: Literal["hold", "skip"] = Field(
        "hold",
        description="When the time has passed by more than grace_hours, because the machine was off or the issue had "
        'errors: "hold" keeps the issue for you to publish and tells you, "skip" gives it up and tells you.',
    )
    grace_hours: float = Field(
        3.0, ge=0, le=24, description="How much too late an issue still goes out by itself; ten minutes at least."
    )
    warn_hours: float = Field(
        2.0,
        ge=0,
        le=24,
        description="So long before it you are warned of an issue that is missing or has errors.",
    )
    no_issue: Literal["skip", "hold"] = Field(
        "skip",
        description='On a day without an issue: "skip" sends nothing that day, "hold" waits for the file until '
        "grace_hours are over.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "Schedule":
        if self.at and self.cron:
            raise ValueError("has both at and cron; leave one of them out")
        return self

    @property
    def timetable(self) -> Timetable | None:
        """Return when issues are due; None where nothing goes out by itself."""
        if self.cron:
            return parse_cron(self.cron)
        if self.at:
            return Timetable(parse_time(self.at), frozenset(map(parse_weekday, self.days)))
        return None


class Rollups(Table):
    """What a week or a month brought in one mail. Readers may choose what has a time here or is sent by hand."""

    weekly: Annotated[str, AfterValidator(_weekly)] = Field("", description='Weekday and time, like "sun 09:00".')
    monthly: Annotated[str, AfterValidator(_monthly)] = Field(
        "", description='Day of the month (1 to 28, or last) and time, like "1 09:00".'
    )
    by_hand: tuple[Literal["weekly", "monthly"], ...] = Field(
        (), description="What you send without a time here, by `newsletter rollup`, so that readers may choose it, too."
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return which of "weekly" and "monthly" are sent."""
        times = {"weekly": self.weekly, "monthly": self.monthly}
        return tuple(kind for kind, time in times.items() if time or kind in self.by_hand)

    @property
    def weekly_timetable(self) -> Timetable | None:
        """Return when a week's is due, if it is."""
        return parse_weekly(self.weekly) if self.weekly else None

    @property
    def monthly_timetable(self) -> Timetable | None:
        """Return when a month's is due, if it is."""
        return parse_monthly(self.monthly) if self.monthly else None


class Alerts(Table):
    """Who is told what became of an issue, and what needs a human."""

    editor: tuple[Address, ...] = Field(
        (), max_length=20, description="Addresses that get a mail after each issue, and when something is wrong."
    )
    webhook: OptionalCall = Field(
        "",
        description="An address that the same is posted to, as JSON, signed as standardwebhooks.com describes.",
    )
    webhook_secret: FilePath = Field(
        Path("webhook.secret"), description="The key that signs; made at first use. Give it to whoever checks."
    )
    heartbeat: OptionalCall = Field(
        "",
        description="An address that is fetched after each day that went as it should, so that a service at the other "
        "end can raise the alarm when it isn't (a dead man's switch).",
    )


class Backup(Table):
    """Copies of the SQLite file, made while it is in use, in [database] backups. PostgreSQL has pg_dump."""

    every_hours: float = Field(24.0, ge=0, le=744, description="How often the scheduler makes one; 0 means never.")
    keep_daily: int = Field(7, ge=1, le=1000, description="Days whose newest copy is kept.")
    keep_weekly: int = Field(4, ge=0, le=1000, description="The same for weeks.")
    keep_monthly: int = Field(3, ge=0, le=1000, description="The same for months.")


class Log(Table):
    """What `serve`, `scheduler` and `worker` write to standard error about what they do."""

    form: Literal["text", "json"] = Field("text", description='"text" for people, "json" for machines.')
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much of it.")
    addresses: bool = Field(
        False, description="Write readers' addresses, where servers name them. By default editions and numbers only."
    )


class Serve(Table):
    """What `newsletter serve`, `scheduler` and `worker` run."""

    publications: tuple[FilePath, ...] = Field(
        (),
        max_length=100,
        description='Other config files, like ["daily/config.toml", "weekly/config.toml"]: each is a publication with '
        "a database, issues and a site of its own. Empty: this config's own.",
    )
