"""The table of commands: pure data, so that `newsletter --help` need not import a single one of them."""

from typing import NamedTuple


class CommandLine(NamedTuple):
    """One command: its name, and what it does in one line. Its module is `newsletter.cli.<name>`."""

    name: str
    summary: str

    @property
    def module(self) -> str:
        """Return the module that defines the command as `command`."""
        return f"newsletter.cli.{self.name.replace('-', '_')}"


GROUPS: tuple[tuple[str, tuple[CommandLine, ...]], ...] = (
    (
        "Write",
        (
            CommandLine("init", "Ask a few questions and write a config and an issues folder."),
            CommandLine("new", "Start the issue file of a date."),
            CommandLine("check", "Find the problems in issue files, each with file, line and column."),
            CommandLine("preview", "Show an issue in the browser as mail, text, feed and page, while you write."),
        ),
    ),
    (
        "Publish",
        (
            CommandLine("send-test", "Send an issue to one address, outside the ledger."),
            CommandLine("publish", "Publish an issue to the site, the feeds and every reader."),
            CommandLine("rollup", "Mail what a week or a month brought, to readers who want it so."),
            CommandLine("status", "Say who got an issue, and prove that nobody was forgotten."),
            CommandLine("serve", "Serve the site, and the pages on which readers join, choose and leave."),
            CommandLine("site", "Write the site and the feeds again, where something changed."),
            CommandLine("dkim", "Make the keys that sign your mail, and check their DNS records."),
        ),
    ),
    (
        "Under way",
        (
            CommandLine("pause", "Stop sending an issue, until it is resumed."),
            CommandLine("resume", "Let a paused or halted issue go on."),
            CommandLine("cancel", "End an issue for good: whoever waits gets no mail."),
            CommandLine("skip", "Put a day down that was held or is to come: nothing goes out for it."),
            CommandLine("unknown", "Decide about readers who may or may not have their mail."),
        ),
    ),
    (
        "Run",
        (
            CommandLine("scheduler", "Publish issues at their time, by themselves."),
            CommandLine("admin", "Set the password of the admin pages, which `newsletter serve` has then."),
            CommandLine("worker", "Send what is due, and try again what was put off."),
            CommandLine("backup", "Copy the database while it is in use."),
            CommandLine("restore", "Put a copy of the database back; nothing is sent a second time."),
        ),
    ),
    (
        "Readers",
        (
            CommandLine("subscribers", "Add, list, show, remove, import and export readers."),
            CommandLine("bounces", "See what came back and what was decided about readers, and undo it."),
            CommandLine("bounce", "Take in one mail that came back, from a mail server's pipe."),
            CommandLine("notices", "Send the letters that wait: confirmations, reminders, reports."),
        ),
    ),
)

COMMANDS = {line.name: line for _, lines in GROUPS for line in lines}

EPILOGUE = """\
Examples:
  newsletter new 2024-05-26          start tomorrow's issue
  newsletter preview 2024-05-26      see it as you write
  newsletter publish 2024-05-26      send it, once to everybody
  newsletter status 2024-05-26       who got it

`newsletter COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 wrong usage or config."""


def render_help() -> str:
    """Return the front page of the command line."""
    lines = ["Usage: newsletter [--config FILE] COMMAND [ARGUMENTS]", ""]
    lines.append("Publish a newsletter by email and feed from Markdown files in git, and know who got it.")
    for title, commands in GROUPS:
        lines += ["", f"{title}:"]
        lines += [f"  {line.name:<13}{line.summary}" for line in commands]
    lines += ["", "Options:"]
    lines.append("  --config FILE  the settings (default: config.toml here, else every default; $NEWSLETTER_CONFIG)")
    lines += ["  --version      print the version", "  --help         print this", "", EPILOGUE]
    return "\n".join(lines)
