# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf doctor`: what this machine can do, one line a check."""

from __future__ import annotations

import argparse
import json

from emulator.doctor import run_checks

_MARKS = {"ok": "ok", "note": "--", "bad": "BAD"}


def main(arguments: argparse.Namespace) -> int:
    """Prints every check. Returns 1 if something is missing that pvperf needs, else 0."""
    findings = []
    for finding in run_checks():
        findings.append(finding)
        if not arguments.json:
            print(f"{_MARKS[finding.state]:<5}{finding.check:<18}{finding.text}", flush=True)
    bad = any(finding.state == "bad" for finding in findings)
    if arguments.json:
        print(json.dumps({"schema_version": 1, "ok": not bad, "checks": [f._asdict() for f in findings]}, indent=1))
    return int(bad)
