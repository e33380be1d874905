# SPDX-License-Identifier: GPL-2.0-only
"""`python -m emulator` is `pvperf`."""

import sys

from emulator.cli import main

sys.exit(main())
