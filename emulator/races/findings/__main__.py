# SPDX-License-Identifier: GPL-2.0-only
"""`python -m emulator.races.findings`: writes the page and its replay files, or says how they differ."""

from __future__ import annotations

import argparse
import sys

from emulator.files import write_whole
from emulator.races.explore.crew import Crew
from emulator.races.findings.cases import ROOT
from emulator.races.findings.page import PAGE, difference, find_cases, render, stale_replays


def main(argv: list[str] | None = None) -> int:
    """Returns 0; 1 if what is committed is not what is found."""
    parser = argparse.ArgumentParser(prog="scripts/findings", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the page is not what it should be"
    )
    parser.add_argument("--quick", action="store_true", help="check, without the searches that take longest")
    arguments = parser.parse_args(argv)
    check = arguments.check or arguments.quick
    with Crew() as crew:
        cases = find_cases(crew)
        stale = stale_replays(cases)
        if check and stale:
            print(f"{stale[0].finding.path} is not what is found now: run scripts/findings", file=sys.stderr)
            return 1
        for found in stale:
            found.case.write(ROOT / found.finding.path)
        page = render(crew, cases, quick=arguments.quick)
    if not check:
        write_whole(PAGE, page)
        return 0
    wrong = difference(page, PAGE.read_text(encoding="utf-8") if PAGE.exists() else "")
    if wrong:
        print(f"docs/findings.md, {wrong}: run scripts/findings", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
