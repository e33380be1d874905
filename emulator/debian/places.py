# SPDX-License-Identifier: GPL-2.0-only
"""Where Debian's kernel, and what was made of its packages, are kept: nothing of theirs comes with pvperf."""

from __future__ import annotations

import os
from pathlib import Path

from emulator.errors import UsageError

#: What `pvperf linux` boots where nothing else is named.
KERNEL = "vmlinuz"
SMALL, FULL = "small.cpio", "perf.cpio"
#: The tree against which modules are built: make -C of it.
HEADERS = "headers"

FETCH = "pvperf linux --fetch"


def directory() -> Path:
    """Below XDG_CACHE_HOME, or ~/.cache where that is not set, or is not an absolute path."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(base if os.path.isabs(base) else os.path.expanduser("~/.cache"), "pvperf", "linux")


def fetched(name: str) -> Path:
    """A file that was fetched, or made. UsageError says how to get it if it is not there."""
    path = directory() / name
    if not path.exists():
        raise UsageError(f"{path} is not there: get Debian's kernel, and what it runs, with {FETCH}")
    return path
