# SPDX-License-Identifier: GPL-2.0-only
"""The list of kinds that are known to differ, each with its reason: known.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

VENDORS = {"AMD": "AuthenticAMD", "Intel": "GenuineIntel"}
KNOWN = Path(__file__).with_name("known.toml")


@dataclass(frozen=True)
class Known:
    """One entry."""

    kind: re.Pattern[str]
    reason: str
    host: str  # whose processors differ so


def host() -> str:
    """Who made this processor: an entry may be for one alone."""
    text = Path("/proc/cpuinfo").read_text()
    return next((name for name, vendor in VENDORS.items() if vendor in text), "")


def load(path: Path = KNOWN) -> list[Known]:
    """ValueError: an entry without a reason, or that is no regular expression."""
    entries, here = tomllib.loads(path.read_text()).get("known", []), host()
    for entry in entries:
        if set(entry) - {"host"} != {"kind", "reason"} or not entry["reason"].strip():
            raise ValueError(f"{path.name}: an entry needs kind and reason: {entry}")
        if entry.get("host", "AMD") not in VENDORS:
            raise ValueError(f"{path.name}: a host is one of {', '.join(VENDORS)}: {entry}")
    try:
        known = [Known(re.compile(entry["kind"]), entry["reason"], entry.get("host", here)) for entry in entries]
        return [each for each in known if each.host == here]
    except re.error as error:
        raise ValueError(f"{path.name}: {error}") from error


def reason_of(known: list[Known], kind: str) -> str | None:
    """Why this kind differs, if that is known."""
    return next((each.reason for each in known if each.kind.fullmatch(kind)), None)
