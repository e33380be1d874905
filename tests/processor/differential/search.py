# SPDX-License-Identifier: GPL-2.0-only
"""Looks through ranges of cases; what differs is sorted into kinds."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from processor.differential.kinds import Difference, difference, form_of
from processor.differential.known import Known, reason_of
from processor.differential.runner import Record, Runner, records

LIST_CASES = 150  # that one native run lists
LOOKED_AT = 4  # cases of a form in a range: as many as it takes to see what of it differs


@dataclass
class Search:
    """What was found so far, by all who look. `kinds` has one case of each that is not known."""

    listed: list[Known]
    kinds: dict[str, Difference] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)
    different: int = 0
    known: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, found: Difference, number: int) -> None:
        """`number` cases, of which this is one."""
        with self.lock:
            self.different += number
            if reason_of(self.listed, found.kind) is not None:
                self.known += number
                return
            self.count[found.kind] += number
            before = self.kinds.get(found.kind)
            if before is None or _size(found) < _size(before):
                self.kinds[found.kind] = found


def _size(found: Difference) -> tuple[int, int]:
    return len(found.ours.case["code0"]), found.number


def search(runner: Runner, first: int, number: int, state: Search) -> int:
    """Cases `first` and on: adds what differs, and returns `number`."""
    different = runner.compare(first, number)
    forms: dict[str, list[int]] = {}
    if different.numbers:
        for at in range(0, len(different.numbers), LIST_CASES):
            part = ",".join(map(str, different.numbers[at : at + LIST_CASES]))
            for record in records(runner.native(different.features, ["verbose=1", f"list={part}"])):
                case = int(record.case["number"], 16)
                if case in different.ends:
                    found = difference(record, Record({}, {}, {}, different.ends[case]))
                    assert found
                    state.add(found, 1)
                else:
                    forms.setdefault(form_of(record.case), []).append(case)
    looked_at = [case for cases in forms.values() for case in cases[:LOOKED_AT]]
    pairs = iter(runner.details([(case, 0) for case in looked_at]))
    for cases in forms.values():
        part = cases[:LOOKED_AT]
        for i, (ours, theirs) in enumerate(next(pairs) for _ in part):
            found = difference(ours, theirs)
            if found:
                state.add(found, 1 + (len(cases) - len(part) if i == 0 else 0))
    return number
