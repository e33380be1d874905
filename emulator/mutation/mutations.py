# SPDX-License-Identifier: GPL-2.0-only
"""The mutations, as data: a file for each room in rooms/."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).with_name("rooms")


@dataclass(frozen=True)
class Mutation:
    """One line of `file` made another one."""

    name: str
    file: str
    old: str  # a piece of one line, which the file has once
    new: str
    breaks: str  # what goes wrong, in words
    behind: str = ""  # what comes before it in the file, where the piece alone is there more than once
    known: bool = False  # it passed all checks when they were looked for first
    survives: str = ""  # why no check can notice: it changes nothing that anybody may rely on

    @property
    def area(self) -> str:
        return self.file.split("/")[1]

    def apply(self, text: str) -> str:
        """The text of the file, broken. ValueError: the data no longer fit."""
        if "\n" in self.old or "\n" in self.new or self.old == self.new:
            raise ValueError(f"{self.name}: no change of one line")
        before, found, rest = text.partition(self.behind) if self.behind else ("", "", text)
        if self.behind and not found:
            raise ValueError(f"{self.name}: {self.file} no longer has: {self.behind}")
        if (not self.behind and text.count(self.old) != 1) or self.old not in rest:
            raise ValueError(f"{self.name}: {self.file} has {text.count(self.old)} times: {self.old}")
        return before + found + rest.replace(self.old, self.new, 1)


def read() -> list[Mutation]:
    """All of them, room by room. Names are unique."""
    files = sorted(DATA.glob("*.toml"))
    found = [Mutation(**each) for path in files for each in tomllib.loads(path.read_text())["mutation"]]
    assert len({each.name for each in found}) == len(found)
    return found
