# SPDX-License-Identifier: GPL-2.0-only
"""Headers of Debian's cloud kernels on this machine: of packages that are installed, or that `pvperf linux` fetched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "pvperf/linux")


def found_headers() -> list[Path]:
    """Trees for modules, one for each kernel."""
    candidates = [CACHE / "headers", *sorted(Path("/usr/src").glob("linux-headers-*-cloud-amd64"))]
    trees = {tree.resolve().name: tree for tree in candidates if (tree / "Module.symvers").is_file()}
    return list(trees.values())


def need_headers() -> list[Path]:
    found = found_headers()
    if not found:
        pytest.skip("no headers of Debian's cloud kernel: apt-get install linux-headers-cloud-amd64")
    return found
