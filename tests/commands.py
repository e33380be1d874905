# SPDX-License-Identifier: GPL-2.0-only
"""pvperf as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PVPERF = [sys.executable, "-m", "emulator"]
Finished = subprocess.CompletedProcess[str]


def pvperf(*arguments: object, **options: Any) -> Finished:
    """Runs the command to its end. Options are those of subprocess.run()."""
    usual: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 300, "check": False}
    return subprocess.run([*PVPERF, *map(str, arguments)], **(usual | options))


def sentence(done: Finished, status: int) -> str:
    """What stderr says: exactly one line, with nothing on stdout."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert re.fullmatch(r"pvperf: [^\n]+\n", done.stderr), done.stderr
    return done.stderr.removeprefix("pvperf: ").rstrip("\n")


def started(arguments: Sequence[object]) -> subprocess.Popen[str]:
    """A command whose guest has written its first byte."""
    process = subprocess.Popen(
        [*PVPERF, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.read(1) == "."
    return process
