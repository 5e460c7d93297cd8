"""What can be configured about relays and about how fast mail may go. Frozen values."""

from typing import Literal

from pydantic import Field, model_validator

from newsletter.config.values import Domain, FilePath, Line, Table


class Relay(Table):
    """One more relay; time limits and the rest it shares with the first."""

    host: Line = Field(min_length=1, description="The relay's name.")
    port: int = Field(587, ge=1, le=65535, description="587 for STARTTLS, 465 for implicit TLS.")
    tls: Literal["starttls", "implicit", "none"] = Field("starttls", description="As for the first relay.")
    user: Line = Field("", description="User name, if the relay wants one.")
    password_file: FilePath | None = Field(
        None,
        description="A file with the password; or set NEWSLETTER_SMTP_PASSWORD_2 for the second relay, and so on.",
    )
    ca_file: FilePath | None = Field(None, description="A PEM file of certificates to trust.")
    weight: int = Field(1, ge=1, le=1000, description="Its share of the connections.")
    connections: int = Field(10, ge=1, le=200, description="Connections held open at the same time, at most.")
    per_second: int = Field(0, ge=0, description="Messages it gets in any second, at most. 0 means no limit.")
    per_hour: int = Field(0, ge=0, description="The same for an hour.")
    per_day: int = Field(0, ge=0, description="The same for a day.")


class Smtp(Table):
    """The relay that takes the mail, and more of them if there are."""

    host: Line = Field("", description="The relay's name. Empty: no mail leaves, it is written to the outbox.")
    port: int = Field(587, ge=1, le=65535, description="587 for STARTTLS, 465 for implicit TLS, 25 inside a network.")
    tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls",
        description='"starttls" insists on it: without TLS nothing is sent, no password least of all. '
        '"implicit" speaks TLS from the first byte. "none" is for a relay on this machine.',
    )
    user: Line = Field("", description="User name, if the relay wants one.")
    password_file: FilePath | None = Field(
        None,
        description="A file with the password; or set the environment variable NEWSLETTER_SMTP_PASSWORD.",
    )
    ca_file: FilePath | None = Field(None, description="A PEM file of certificates to trust instead of the system's.")
    local_name: Line = Field("", description="The name said in EHLO; empty means this machine's.")
    connections: int = Field(10, ge=1, le=200, description="Connections held open at the same time.")
    timeout: float = Field(60.0, gt=0, le=3600, description="Seconds to wait for a reply to a command.")
    data_timeout: float = Field(
        600.0,
        gt=0,
        le=3600,
        description="Seconds to wait after the final dot (RFC 5321, 4.5.3.2.6 wants 600).",
    )
    messages_per_connection: int = Field(1000, ge=1, description="Messages before a connection is renewed.")
    connection_minutes: float = Field(10.0, gt=0, description="Minutes before a connection is renewed.")
    window: int = Field(
        1,
        ge=1,
        le=100,
        description="Messages on their way at once in one connection, where the relay offers CHUNKING (RFC 3030). "
        "After a crash as many may be unknown for each connection.",
    )
    per_second: int = Field(0, ge=0, description="Messages the relay gets in any second, at most. 0 means no limit.")
    per_hour: int = Field(0, ge=0, description="Messages the relay gets in any hour, at most. 0 means no limit.")
    per_day: int = Field(0, ge=0, description="Messages the relay gets in any day, at most. 0 means no limit.")
    weight: int = Field(
        1, ge=1, le=1000, description="The first relay's share of the connections, where there are several relays."
    )
    relays: tuple[Relay, ...] = Field(
        (),
        description="More relays. Connections are shared out by weight; one that doesn't take our mail is set aside "
        "for a while, and the others get its share.",
    )

    @model_validator(mode="after")
    def _each_relay_once(self) -> "Smtp":
        if self.relays and not self.host:
            raise ValueError("has relays but no host; the first relay stands in host, port, user and so on")
        names = [(self.host, self.port), *((relay.host, relay.port) for relay in self.relays)]
        if len(set(names)) < len(names):
            raise ValueError("names one relay (host and port) twice; give it more connections instead")
        return self


class DomainPace(Table):
    """How fast mail may go to one domain."""

    name: Domain = Field(min_length=1, description="The part of the readers' addresses after the @.")
    per_second: int = Field(0, ge=0, description="Messages in any second, at most. 0 means no limit.")
    per_hour: int = Field(0, ge=0, description="Messages in any hour, at most. 0 means no limit.")
    per_day: int = Field(0, ge=0, description="Messages in any day, at most. 0 means no limit.")
    connections: int = Field(0, ge=0, description="Messages on their way at once, at most. 0 means no limit.")


class Pace(Table):
    """How fast mail may go. Limits are kept over a restart; those of each relay stand in [smtp]."""

    per_second: int = Field(0, ge=0, description="Messages in any second, at most. 0 means no limit.")
    per_hour: int = Field(0, ge=0, description="Messages in any hour, at most. 0 means no limit.")
    per_day: int = Field(0, ge=0, description="Messages in any day, at most. 0 means no limit.")
    domain_per_second: int = Field(
        0, ge=0, description="Messages to each domain that isn't in domains below, in any second. 0 means no limit."
    )
    domain_per_hour: int = Field(0, ge=0, description="The same for an hour. 0 means no limit.")
    domain_per_day: int = Field(0, ge=0, description="The same for a day. 0 means no limit.")
    domain_connections: int = Field(
        0, ge=0, description="Messages on their way at once to each such domain. 0 means no limit."
    )
    domains: tuple[DomainPace, ...] = Field((), description="Domains with limits of their own.")
    adapt: bool = Field(
        True,
        description="Give a domain half of what it gets when its servers ask for less (421, 450, 451, 4.7.x), and "
        "slowly more again when they don't.",
    )

    @model_validator(mode="after")
    def _each_domain_once(self) -> "Pace":
        names = [domain.name for domain in self.domains]
        if len(set(names)) < len(names):
            raise ValueError("names a domain twice in domains")
        return self
