# SPDX-License-Identifier: GPL-2.0-only
"""The list of kinds that are known to differ, each with its reason: known.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

KNOWN = Path(__file__).with_name("known.toml")


@dataclass(frozen=True)
class Known:
    """One entry."""

    kind: re.Pattern[str]
    reason: str


def load(path: Path = KNOWN) -> list[Known]:
    """ValueError: an entry without a reason, or that is no regular expression."""
    entries = tomllib.loads(path.read_text()).get("known", [])
    for entry in entries:
        if set(entry) != {"kind", "reason"} or not entry["reason"].strip():
            raise ValueError(f"{path.name}: an entry needs kind and reason: {entry}")
    try:
        return [Known(re.compile(entry["kind"]), entry["reason"]) for entry in entries]
    except re.error as error:
        raise ValueError(f"{path.name}: {error}") from error


def reason_of(known: list[Known], kind: str) -> str | None:
    """Why this kind differs, if that is known."""
    return next((each.reason for each in known if each.kind.fullmatch(kind)), None)
