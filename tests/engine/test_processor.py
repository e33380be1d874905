# SPDX-License-Identifier: GPL-2.0-only
"""Counts and registers against the processor that this runs on, which steps the same code by itself.

Shares no code with the engine, nor its decoder: the processor says what has retired, and objdump what a branch is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from processor.pieces import FAULTS, ODD, source

from emulator import VirtualMachine
from emulator.guest.build import build_guests

PROCESSOR = Path(__file__).resolve().parents[1] / "processor"
NUMBER = 250
BRANCH = re.compile(r"(j|call|ret|lret|iret|loop|int|icebp|syscall|sysenter)")
PREFIX = re.compile(r"(lock|rep[a-z]*|data16|rex\S*|bnd|notrack|cs|ds) ")
Line = tuple[int, int, list[str]]  # instructions, branches, and a hash of registers and memory


def branches_of(program: Path) -> set[int]:
    """Offsets of branches, from where the pieces begin."""
    listed = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True, check=True
    )
    base, found = 0, set()
    for line in listed.stdout.splitlines():
        if line.endswith("<processor_code>:"):
            base = int(line.split()[0], 16)
        at, _, text = line.partition(":\t")
        while PREFIX.match(text):
            text = PREFIX.sub("", text, count=1)
        if text and BRANCH.match(text):
            found.add(int(at, 16))
    return {address - base for address in found}


def native(folder: Path, pieces: Path) -> list[Line]:
    """What the processor makes of the pieces."""
    program = folder / "native"
    sources = [PROCESSOR / "native.c", PROCESSOR / "enter.S", pieces]
    command = [
        shutil.which("cc") or "gcc",
        "-std=c11",
        "-D_GNU_SOURCE",
        "-O1",
        "-no-pie",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{PROCESSOR}",
    ]
    subprocess.run([*command, *map(str, sources), "-o", str(program)], check=True)
    output = subprocess.run([program], capture_output=True, text=True, timeout=300, check=True).stdout
    branches, lines = branches_of(program), []
    for words in map(str.split, output.splitlines()):
        retired = {int(at, 16): int(n) for at, n in (each.split(":") for each in words[1].split(",")[:-1])}
        lines.append((sum(retired.values()), sum(n for at, n in retired.items() if at in branches), words[2:]))
    return lines


def guest(folder: Path, pieces: Path, **config: object) -> list[Line]:
    """What a guest makes of them, by its own counts."""
    elf = folder / "guest.elf"
    if not elf.exists():
        build_guests({elf: [PROCESSOR / "guest.c", PROCESSOR / "enter.S", pieces]}, extra=("-Werror", f"-I{PROCESSOR}"))
    with VirtualMachine(**config) as vm:
        result = vm.run(elf, timeout=300)
    assert (result.ended, result.status) == ("exit", 0), result.console.decode()[-2000:]
    words = [line.split() for line in result.console.decode().splitlines()]
    return [(int(each[1]), int(each[2]), each[3:]) for each in words]


@pytest.mark.parametrize("seed", [1, 2])
def test_counts_and_results_are_the_processors(seed: int, tmp_path: Path) -> None:
    pieces = tmp_path / "pieces.S"
    pieces.write_text(source(seed, NUMBER))
    stepped = native(tmp_path, pieces)
    assert len(stepped) == 1 + len(FAULTS) + len(ODD) + NUMBER
    texts = pieces.read_text().split("piece_")
    for config in ({}, {"atomics": "trap"}, {"oracle": True}):
        counted = guest(tmp_path, pieces, **config)
        different = [i for i, pair in enumerate(zip(stepped, counted, strict=True)) if pair[0] != pair[1]]
        assert different == [], "\n".join(f"{texts[i + 1]}{stepped[i]}\n{counted[i]}" for i in different[:5])
