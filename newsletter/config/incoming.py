"""What can be configured about mail that comes back."""

from typing import Literal

from pydantic import Field, model_validator

from newsletter.config.values import Address, FilePath, Line, Table


class Bounces(Table):
    """What comes back: the ways it comes in, and how patient to be with readers whose mail does."""

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
    forward_to: Address = Field(
        "", description="Where people's replies go that land among the bounces; empty means [mail] reply_to."
    )
    maildir: FilePath | None = Field(
        None, description="A Maildir that the bounce domain's mail is delivered to; looked into every minute."
    )
    imap_host: Line = Field("", description="A mailbox that it is delivered to; looked into every few minutes.")
    imap_port: int = Field(993, ge=1, le=65535, description="993 for implicit TLS, 143 for STARTTLS.")
    imap_tls: Literal["implicit", "starttls", "none"] = Field(
        "implicit", description='"none" is for a server on this machine.'
    )
    imap_user: Line = Field("", description="User name.")
    imap_password_file: FilePath | None = Field(
        None, description="A file with the password; or set the environment variable NEWSLETTER_IMAP_PASSWORD."
    )
    imap_ca_file: FilePath | None = Field(None, description="A PEM file of certificates to trust.")
    imap_folder: Line = Field("INBOX", min_length=1, description="The folder it is in.")
    imap_after: Literal["delete", "seen"] = Field(
        "delete", description='What is done with a mail that was taken in: "delete" it, or mark it as "seen".'
    )
    listen: Line = Field(
        "",
        description="Take mail by LMTP or SMTP at this HOST:PORT, such as 127.0.0.1:2424: the MX of the bounce domain "
        "hands it over. Empty: don't.",
    )
    listen_protocol: Literal["lmtp", "smtp"] = Field("lmtp", description="What is spoken there.")
    ses_topics: tuple[Line, ...] = Field(
        (), description="ARNs of the SNS topics whose events are taken at /hooks/ses; without one, none is."
    )
    postmark_password_file: FilePath | None = Field(
        None, description="The password of Postmark's calls to /hooks/postmark (HTTP Basic, any user name)."
    )
    sendgrid_key: Line = Field("", description="The public key that SendGrid's calls to /hooks/sendgrid are signed by.")
    mailgun_key_file: FilePath | None = Field(
        None, description="The key that Mailgun's calls to /hooks/mailgun are signed by (HTTP webhook signing key)."
    )

    @model_validator(mode="after")
    def _say_who(self) -> "Bounces":
        if self.imap_host and not self.imap_user:
            raise ValueError("names an imap_host without an imap_user")
        host, colon, port = self.listen.rpartition(":")
        if self.listen and not (host and colon and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("has a listen address that is not HOST:PORT, such as 127.0.0.1:2424")
        return self
