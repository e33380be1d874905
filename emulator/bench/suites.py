# SPDX-License-Identifier: GPL-2.0-only
"""Which suites there are. A suite is a module with a function `groups(effort)` that yields Groups."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from emulator.bench.measuring.case import Effort, Group
from emulator.bench.options import SUITES


def suite_groups(name: str, effort: Effort) -> Iterable[Group]:
    """The groups of one suite, built when they are asked for."""
    assert name in SUITES
    groups: Iterable[Group] = import_module(f"emulator.bench.groups.{name.replace('-', '_')}").groups(effort)
    return groups
