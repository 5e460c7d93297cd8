"""`newsletter dkim`: make the keys that sign mail, and check their DNS records."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.app import App
from newsletter.cli.terminal import say, short
from newsletter.config import DEFAULT_NAME, Dkim, Mail, Settings, parse_settings
from newsletter.errors import NewsletterError, UsageError

if TYPE_CHECKING:
    from newsletter.mail.dkim import SigningKeys

DNS_PORT = 53

KEYGEN_EPILOG = """\b
Examples:
  newsletter dkim keygen                                 an RSA key for the domain mail comes from
  newsletter dkim keygen --ed25519                       and an Ed25519 key, for receivers that know it
  newsletter dkim keygen --selector news --out /etc/newsletter
"""

CHECK_EPILOG = """\b
Examples:
  newsletter dkim check
  newsletter dkim check --server 192.0.2.53    ask your provider's own server: it knows a new record at once
"""


EPILOG = """\b
Examples:
  newsletter dkim keygen
  newsletter dkim check
"""


@click.group("dkim", epilog=EPILOG, short_help="Make the keys that sign your mail, and check their DNS records.")
def command() -> None:
    """Make the keys that sign your mail (DKIM), and check their DNS records."""


@command.command("keygen", epilog=KEYGEN_EPILOG, short_help="Make the keys, and print what to publish.")
@click.option("--selector", default="", help="Names the key in the DNS (default: newsletter and this month).")
@click.option("--domain", default="", help="The domain that signs (default: the one mail comes from).")
@click.option("--ed25519", is_flag=True, help="Make an Ed25519 key as well as the RSA key.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that private keys are written to (default: dkim, beside the config).",
)
@click.pass_obj
def keygen(config: Path | None, selector: str, domain: str, ed25519: bool, out: Path | None) -> int:
    """Make an RSA key, and print the DNS record to publish and the settings to paste.

    Nothing that is there already is overwritten. To change keys, make one with a new selector, publish its record,
    change the settings, and leave the old record up for a week: mail signed with it is still on its way.
    """
    from newsletter.signing import make_signing_keys, write_signing_keys

    home = (config or Path(DEFAULT_NAME)).absolute().parent
    with App.load(config) as app:
        dkim = _choose_settings(app.settings, domain, selector, out.absolute() if out else home / "dkim", ed25519)
    keys = make_signing_keys(dkim)
    write_signing_keys(dkim, keys)
    files = [path for path in (dkim.key_file, dkim.ed25519_key_file) if path]
    click.echo("1. Keep these private keys secret, out of git, and in your backup:\n")
    click.echo("".join(f"    {short(path)}\n" for path in files))
    click.echo(f"2. Publish in the DNS of {dkim.domain}:\n")
    click.echo(_render_records(keys))
    click.echo(f"3. Put this into {short(config or DEFAULT_NAME)}:\n")
    click.echo(_render_settings(dkim, home))
    say("4. Before the next issue goes out: newsletter dkim check")
    return 0


@command.command("check", epilog=CHECK_EPILOG, short_help="Compare the DNS with the keys.")
@click.option("--server", help="The IP address of a name server to ask instead of this machine's.")
@click.option("--port", type=click.IntRange(1, 65535), default=DNS_PORT, show_default=True, help="That server's port.")
@click.pass_obj
def check(config: Path | None, server: str | None, port: int) -> int:
    """Compare the DNS records with the configured keys. Exit code 1: receivers would reject the signature."""
    from newsletter.mail.dkim import check_record, compose_record, name_record, render_record
    from newsletter.signing import load_signing_keys, lookup_records

    with App.load(config) as app:
        keys = load_signing_keys(app.settings.dkim, app.settings.mail.from_address)
    if keys is None:
        raise NewsletterError("Mail goes out unsigned: [dkim] names no key. `newsletter dkim keygen` makes one.")
    wrong = 0
    for key in keys:
        name, value = name_record(key.selector, keys.domain), compose_record(key.private)
        problem = check_record(value, lookup_records(name, (_parse_server(server), port) if server else None))
        click.echo(f"{name}: {problem or 'published, and fits the key.'}")
        if problem:
            wrong += 1
            click.echo(f"\nIt should be:\n\n{render_record(name, value)}\n")
    return 1 if wrong else 0


def _parse_server(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise UsageError(f"--server: {text!r} is not an IP address.") from None


def _choose_settings(settings: Settings, domain: str, selector: str, folder: Path, ed25519: bool) -> Dkim:
    """Return the [dkim] table to come, held to the rules of every config."""
    from newsletter.signing import choose_domain

    if not domain and not settings.dkim.domain and settings.mail.from_address == Mail().from_address:
        raise UsageError("Which domain signs? Set [mail] from_address, or say --domain.")
    selector = selector or f"newsletter-{datetime.now(UTC):%Y%m}"
    table = {
        "domain": domain or choose_domain(settings.dkim, settings.mail.from_address),
        "selector": selector,
        "key_file": str(folder / f"{selector}.pem"),
    }
    if ed25519:
        table |= {
            "ed25519_selector": f"{selector}-ed25519",
            "ed25519_key_file": str(folder / f"{selector}-ed25519.pem"),
        }
    return parse_settings({"dkim": table}, "newsletter dkim keygen").dkim


def _render_records(keys: "SigningKeys") -> str:
    """Return the DNS records, each as a zone file has it and as a provider's form asks for it."""
    from newsletter.mail.dkim import compose_record, name_record, render_record

    lines = []
    for key in keys:
        name, value = name_record(key.selector, keys.domain), compose_record(key.private)
        lines += [render_record(name, value), "", "   or, in a provider's form:", ""]
        lines += ["    Type:  TXT", f"    Name:  {name}", f"    Value: {value}", ""]
    return "\n".join(lines)


def _render_settings(dkim: Dkim, home: Path) -> str:
    """Return the lines to paste; a file beside the config is named relative to it."""
    lines = ["    [dkim]"]
    for key, value in dkim:
        if isinstance(value, Path):
            value = value.relative_to(home) if value.is_relative_to(home) else value
        if value:
            lines.append(f"    {key} = {json.dumps(str(value), ensure_ascii=False)}")
    return "\n".join([*lines, ""])
