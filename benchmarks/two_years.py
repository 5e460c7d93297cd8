"""Two years of mornings in five time zones on a real ledger, with two schedulers: exactly one send for each due day.

Usage: python -m benchmarks.two_years

The clock is simulated, the database is SQLite's; days on which clocks change and the leap day are among them. Exits 1
if a day was sent twice or not at all, or the editor was told anything.
"""

import json
import sys
import tempfile
from pathlib import Path

from newsletter.logs import start_logging
from newsletter.store.database import open_database
from tests.schedule.desks import Office, live_through
from tests.schedule.test_two_years import ZONES, days


def main() -> int:
    """Run, and print what came of it as JSON."""
    start_logging("text", "error")
    found: dict[str, dict[str, int]] = {}
    for name, at in ZONES:
        with (
            tempfile.TemporaryDirectory(prefix="years-") as folder,
            open_database(f"sqlite:///{Path(folder) / 'newsletter.db'}") as database,
        ):
            office = Office(database, name, at)
            live_through(office, days())
            sent = [key.day for key in office.sent]
            once = sum(number == 1 for number in office.sent.values())
            found[name] = {"due": len(days()), "sent": len(sent), "once": once, "told": len(office.mails())}
    print(json.dumps(found, indent=2))
    return 0 if all(f["due"] == f["sent"] == f["once"] and not f["told"] for f in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
