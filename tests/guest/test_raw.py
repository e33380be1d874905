# SPDX-License-Identifier: GPL-2.0-only
"""Guests without the runtime: what the guest ABI alone promises, and what a kernel can do to itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from emulator import VirtualMachine
from emulator.errors import AllHalted, GuestShutdown
from emulator.events import parse_events
from emulator.guest.build import find_compiler

RAW = Path(__file__).resolve().parents[1] / "raw"
LINK = ("-nostdlib", "-static", "-Wl,-N", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none")


def build(name: str, directory: Path) -> Path:
    output = directory / f"{name}.elf"
    command = [*find_compiler(None), *LINK, str(RAW / f"{name}.S"), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    return output


@pytest.mark.parametrize("smp", [1, 2])
def test_endless_faults_can_be_stopped(smp: int, tmp_path: Path) -> None:
    """The doorbell is seen although no block is executed, and the counts up to there are had, exact."""
    with VirtualMachine(smp=smp) as vm:
        result = vm.run(build("fault_loop", tmp_path), events=parse_events("instructions"), timeout=3)
    assert result.ended == "timeout"
    assert [count.value for count in result.counts] == [22, 3][:smp]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ud2", GuestShutdown),  # no IDT: a triple fault
        ("int $0x20", GuestShutdown),
        ("mov %rax, 0x7fffffffffff", GuestShutdown),
        ("movabs $0x4000000000, %rax\nmov %rax, %cr3\nnop", GuestShutdown),
        ("1: hlt\njmp 1b", AllHalted),
    ],
    ids=["ud2", "int", "outside", "cr3", "hlt"],
)
def test_a_guest_that_ends_itself(code: str, error: type[Exception], tmp_path: Path) -> None:
    source = tmp_path / "guest.S"
    source.write_text(f".globl _start\n_start:\n{code}\n")
    output = tmp_path / "guest.elf"
    subprocess.run([*find_compiler(None), *LINK, str(source), "-o", str(output)], check=True, capture_output=True)
    with VirtualMachine() as vm, pytest.raises(error):
        vm.run(output, timeout=300)
