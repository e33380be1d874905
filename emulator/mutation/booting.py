# SPDX-License-Identifier: GPL-2.0-only
"""Boots the guest tests of the tree that it lies in, and ends with 1 at the first that fails."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from emulator.errors import PvperfError
from emulator.events import parse_events
from emulator.guest.build import build_guests
from emulator.mutation.building import BUILD, ROOT
from emulator.native import load_engine
from emulator.vm.cpus import missing
from emulator.vm.machine import Machine

GUESTS = BUILD / "guests"
#: What looks at the processor itself.
PROCESSOR = {source.stem for source in (ROOT / "tests/guests/processor").iterdir()}
#: What says most in the least time.
FIRST = {"cycles", "errno", "groups", "retire", "window"}
_LIMIT_SECONDS = 150.0


def build() -> None:
    """Once: the guests are not what is mutated."""
    GUESTS.mkdir(parents=True, exist_ok=True)
    sources = {source.stem: source for source in (ROOT / "tests/guests").rglob("*.[cS]")}
    build_guests({GUESTS / f"{name}.elf": [source] for name, source in sources.items()})


def _reports(cases: list[Any], check_report: Callable[[str], None]) -> None:
    """Rows of test_guests.py."""
    for case in cases:
        model = str(case.machine.get("cpu", "default"))
        if case.slow or case.soak or missing(model, load_engine().lib.engine_host_features()):
            continue
        with Machine(smp=case.smp, **case.machine) as vm:
            result = vm.run(GUESTS / f"{case.guest}.elf", list(case.args), timeout=_LIMIT_SECONDS)
        try:
            check_report(result.console.decode())
        except AssertionError as error:
            raise PvperfError(f"{case}: {error}") from error
        if (result.ended, result.status) != ("exit", 0):
            raise PvperfError(f"{case}: {result.ended} {result.status}")


def _stepped(guest: Path, args: list[str], **config: Any) -> list[int | None]:
    """One guest of test_oracle.py: its counts."""
    with Machine(**config) as vm:
        result = vm.run(guest, args, events=parse_events(EVENTS), timeout=_LIMIT_SECONDS)
    if (result.ended, result.status) != ("exit", 0):
        raise PvperfError(f"{guest.stem}: {result.ended} {result.status}")
    return [count.value for count in result.counts]


EVENTS = "instructions:u,instructions:k,branches:u,branches:k,cycles"


def _oracle(programs: Iterable[str]) -> None:
    """With the oracle, whose differences are errors, and without it."""
    for program in programs:
        guest = GUESTS / f"{program}.elf"
        counts = _stepped(guest, [], oracle=True)
        if _stepped(guest, []) != counts:
            raise PvperfError(f"{program}: the counts differ without the oracle")


def main() -> int:
    """`build`, or what to boot: `first`, `processor`, `reports`, `sampling`, `oracle`."""
    what = sys.argv[1]
    sys.path.insert(0, str(ROOT))
    try:
        if what == "build":
            build()
        elif what == "oracle":
            _oracle(sorted(guest.stem for guest in GUESTS.glob("oracle_*.elf")))
        else:
            tests: Any = importlib.import_module("tests.guest.test_guests")
            rows = tests.SAMPLING_CASES if what == "sampling" else tests.CASES
            if what == "processor":
                rows = [case for case in rows if case.guest in PROCESSOR]
            elif what != "sampling":
                rows = [case for case in rows if (case.guest in FIRST and case.smp == 1) == (what == "first")]
            _reports(rows, tests.check_report)
    except PvperfError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
