# SPDX-License-Identifier: GPL-2.0-only
"""An input that shows a violation: what it shows, made as small as it gets, and said in the explorer's language."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emulator.places import environment

#: Bytes of the header and of each record: native/fuzz/fuzz.h.
PIECE = 8
_TIMEOUT_SECONDS = 20
_WRONG = re.compile(rb"^(?:violation|host panic|SUMMARY|.*runtime error): ?.*$", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """What inputs are played on: the player, and what of the core is broken on purpose."""

    player: Path
    design: str = ""
    canary: str = ""

    def environment(self) -> dict[str, str]:
        chosen = {"PV_FUZZ_DESIGN": self.design, "PV_FUZZ_CANARY": self.canary}
        return environment(**{name: value for name, value in chosen.items() if value})

    def run(self, path: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
        """One input: twice, and the same way both times; once with -v or -x."""
        return self.run_all([path], *options)

    def run_all(self, paths: list[Path], *options: str) -> subprocess.CompletedProcess[bytes]:
        """Until one shows a violation."""
        return subprocess.run(
            [self.player, *options, *paths],
            env=self.environment(),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )

    def shows(self, path: Path) -> str:
        """What is wrong with it, as the player says; empty if all holds."""
        try:
            done = self.run(path)
        except subprocess.TimeoutExpired:
            return f"violation: it does not end within {_TIMEOUT_SECONDS} s"
        if not done.returncode:
            return ""
        found = _WRONG.search(done.stderr + b"\n" + done.stdout)
        return found[0].decode(errors="replace") if found else f"ends with status {done.returncode}"

    def told(self, path: Path) -> str:
        """Each of its operations, and what they come to."""
        try:
            done = self.run(path, "-v")
            text = done.stdout + done.stderr
        except subprocess.TimeoutExpired as hung:
            text = (hung.stdout or b"") + (hung.stderr or b"")
        lines = text.decode(errors="replace").splitlines()
        report = next((number for number, line in enumerate(lines) if line.startswith("====")), len(lines))
        return "\n".join(lines[:report])

    def program(self, path: Path) -> tuple[str, str]:
        """The input as the explorer's program; or why it cannot be said so."""
        done = self.run(path, "-x")
        return (done.stdout.decode(), "") if not done.returncode else ("", done.stderr.decode().strip())


def signature(shown: str) -> str:
    """What is the same for the same defect: not the numbers and addresses."""
    return re.sub(r"0x[0-9a-f]+|\d+", "N", shown)


def smaller(data: bytes, still: Callable[[bytes], bool]) -> bytes:
    """The input with no record too many, and with zeroes wherever they do as well.

    :param still: does that input still show the violation?
    """
    header, records = data[:PIECE], [data[at : at + PIECE] for at in range(PIECE, len(data), PIECE)]
    records = _without(records, lambda left: still(header + b"".join(left)))
    whole = bytearray(header + b"".join(records))
    for at, byte in enumerate(whole):
        if byte:
            whole[at] = 0
            if not still(bytes(whole)):
                whole[at] = byte
    return bytes(whole)


def _without(records: list[bytes], still: Callable[[list[bytes]], bool]) -> list[bytes]:
    size = max(1, len(records) // 2)
    while True:
        at, before = 0, len(records)
        while at < len(records):
            left = records[:at] + records[at + size :]
            if still(left):
                records = left
            else:
                at += size
        if size > 1:
            size //= 2
        elif len(records) == before:
            return records
