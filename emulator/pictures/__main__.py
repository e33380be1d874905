# SPDX-License-Identifier: GPL-2.0-only
"""`python -m emulator.pictures`: writes docs/pictures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from emulator.bench.measuring.result import load_document
from emulator.bench.reporting.browser import screenshot
from emulator.bench.reporting.html import STYLE as PAGE_STYLE
from emulator.bench.reporting.html import document_html
from emulator.errors import HostError
from emulator.files import write_whole
from emulator.pictures.race import STYLE, race
from emulator.pictures.trace import trace
from emulator.places import own_command, run_program
from emulator.races.findings.cases import ROOT

PLACE = ROOT / "docs/pictures"
_MOST_BYTES = 150_000
_REPLAY = Path("docs/findings/close-enable-no-refcount.replay")
_TRACED = ["run", "--fault", "trylock=30%", "--hold-us", "40", "sampler"]


def _report() -> str:
    """Of the last full measurement, a part of two groups."""
    document = load_document(ROOT / "docs/performance.json")
    groups = {group.name: group for group in document.groups}
    core, sweep = groups["hypercall, one core"], groups["nmi-miss, sweep"]
    shown = [
        replace(core, cases=core.cases[:5], ratios=core.ratios[:1]),
        replace(sweep, remarks=[], panels=sweep.panels[:1]),
    ]
    return document_html(replace(document, suites=["hypercall", "nmi-miss"], groups=shown, warnings=[]))


def _race() -> str:
    return _page(f"<b>pvperf replay {_REPLAY.name}</b>", race(ROOT / _REPLAY))


def _trace() -> str:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "trace")
        done = run_program(own_command(_TRACED[0], "--trace", str(file), *_TRACED[1:]))
        if done.returncode:
            raise HostError(f"the run to be traced failed: {done.stderr}")
        return _page(trace(file, f"pvperf {' '.join(_TRACED)}"))


def _page(*parts: str) -> str:
    head = f'<meta charset="utf-8"><style>{PAGE_STYLE}{STYLE} body {{ max-width: none; padding: 16px 24px; }}</style>'
    return f"<!DOCTYPE html><html><head>{head}</head><body>{''.join(parts)}</body></html>"


PICTURES: dict[str, tuple[Callable[[], str], int]] = {
    "report": (_report, 760),
    "race": (_race, 1200),
    "trace": (_trace, 800),
}


def main(argv: list[str] | None = None) -> int:
    """Returns 0."""
    parser = argparse.ArgumentParser(prog="scripts/pictures", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="only these")
    for name in parser.parse_args(argv).names or PICTURES:
        make, width = PICTURES[name]
        page = make()
        for suffix, dark in (("", False), ("-dark", True)):
            picture = screenshot(page, dark=dark, width=width)
            if len(picture) > _MOST_BYTES:
                raise HostError(f"{name}{suffix}.png would have {len(picture)} bytes, and {_MOST_BYTES} are the most")
            write_whole(PLACE / f"{name}{suffix}.png", picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
