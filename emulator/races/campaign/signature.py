# SPDX-License-Identifier: GPL-2.0-only
"""When two failures are taken for the same: as they were found, and, more strictly, as they were shrunk."""

from __future__ import annotations

import hashlib
import re

from emulator.races.explore.case import Case

_NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


def normalised(text: str) -> str:
    """An oracle's text without the numbers of vCPUs, events, lines and counts."""
    return _NUMBER.sub("#", text)


def operations(case: Case) -> str:
    """The operations that meet in a shrunk case: the last one of each vCPU and of the timer."""
    return " / ".join(sorted({ops[-1].kind for ops in case.program.fibers() if ops}))


def signature(design: str, oracle: str, text: str, operations: str) -> str:
    """Eight hexadecimal digits for a shrunk case."""
    whole = "\0".join((design, oracle, normalised(text), operations))
    return hashlib.sha256(whole.encode()).hexdigest()[:8]
