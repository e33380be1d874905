# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf bench`: what the emulator costs, each figure a ratio against something measured in the same run."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

SUITES = ("engine", "hypercall", "boot")


def main(args: argparse.Namespace) -> int:
    """Runs the suite `args.suite`; prints a table, or one JSON object with `args.json`. Returns the exit status."""
    from emulator.bench.measure import machine, print_rows

    suite = import_module(f"emulator.bench.{args.suite}")
    rows = suite.measure(rounds=args.rounds)
    if args.json:
        document = {
            "schema_version": 1,
            "suite": args.suite,
            "machine": machine(),
            "rows": [row.as_json() for row in rows],
        }
        json.dump(document, sys.stdout)
        print()
    else:
        about = (suite.__doc__ or "").splitlines()[0]
        print_rows(f"bench {args.suite}, {args.rounds} rounds: {about}", rows)
    return 0
