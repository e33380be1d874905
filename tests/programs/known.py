# SPDX-License-Identifier: GPL-2.0-only
"""Programs that are known to differ in a guest, each with the reason.

One that does not differ any more fails its test until it is taken out here.
"""

from __future__ import annotations

from collections.abc import Iterator

from programs.building import Build

#: Why, which programs, and compiled for what.
_KNOWN: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


def known_differences(name: str, build: Build) -> Iterator[str]:
    """Why this one differs."""
    return (reason for reason, names, marches in _KNOWN if name in names.split() and build.march in marches)
