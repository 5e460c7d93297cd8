"""Let `python -m newsletter` be the command line."""

import sys

from newsletter.cli import main

sys.exit(main())
