# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf bench`: what the emulator costs, each figure beside something measured in the same rounds."""

from __future__ import annotations

import argparse


def main(args: argparse.Namespace) -> int:
    """Measures, compares or reports, as `args.suite` says. Returns the exit status."""
    if args.suite == "compare":
        from emulator.bench.compare_command import compare

        return compare(args)
    if args.suite == "report":
        from emulator.bench.reporting.report import report

        return report(args)
    from emulator.bench.run import run

    return run(args)
