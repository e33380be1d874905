# SPDX-License-Identifier: GPL-2.0-only
"""Pieces of code, each compiled for every engine that is compared: as a guest, as a Linux executable, as bare bytes.

Each engine has to give the same result, so that all are known to have done the same work.
"""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from emulator.bench.measuring.case import Absent, Failed, Violated
from emulator.bench.measuring.vm import run_guest, tsc_hz
from emulator.guest.build import GuestBuildError, build_guest, code_flags, find_compiler, native_sources
from emulator.places import run_program

_LINUX = ("-nostdlib", "-static")
_BARE = ("-nostdlib", "-static", "-Wl,-Ttext=0x100000", "-Wl,--oformat=binary", "-Wl,-e,program", "-Wl,--build-id=none")
BARE_ADDRESS = 0x100000
_TIMEOUT_SECONDS = 60
#: Two lengths whose difference is the iterations alone, but for a few digits more to parse or to print.
COUNTED_LENGTHS = (1_000, 2_001_000)

#: Those of AVX2, in native/bench/program/vectors; the guest's processor has to be this one.
VECTORS = ("saxpy", "memchr", "hash")
VECTOR_CPU = "x86-64-v3"


class Programs:
    """The files of the program, or of one of VECTORS, in a directory that goes with this object."""

    def __init__(self, name: str) -> None:
        """Compiles. Raises Absent without a compiler."""
        self._scratch = tempfile.TemporaryDirectory(prefix="pvperf-bench-")
        directory = Path(self._scratch.name)
        source = native_sources() / "bench" / "program"
        code = source / "vectors" / f"{name}.c" if name in VECTORS else source / f"{name}.c"
        more = ["-O3", f"-march={VECTOR_CPU}"] if name in VECTORS else []
        self.guest, self.linux, self.plugin = (directory / name for name in ("program.elf", "program", "plugin.so"))
        bare = directory / "program.bin"
        try:
            sources = [source / "program_guest.c", code]
            build_guest(sources, self.guest, extra=(f"-I{source}", "-fcf-protection=none", *more))
            command = find_compiler()
        except GuestBuildError as error:
            raise Absent(str(error).splitlines()[0]) from None
        flags = [*command, *code_flags(), *more, f"-I{source}"]
        _compile([*flags, *_LINUX, str(source / "program_linux.c"), str(code), "-o", str(self.linux)])
        _compile([*flags, *_BARE, str(code), "-o", str(bare)])
        _compile(
            [*command, "-std=c11", "-O2", "-shared", "-fPIC", str(source / "qemu_plugin.c"), "-o", str(self.plugin)]
        )
        self.bare = bare.read_bytes()


def _compile(command: list[str]) -> None:
    done = run_program(command)
    if done.returncode:
        raise Absent(f"the compiler failed: {done.stderr.strip().splitlines()[-1]}")


@cache
def programs(name: str = "program") -> Programs:
    """Compiled once a process."""
    return Programs(name)


@cache
def result_of(iterations: int, name: str = "program") -> str:
    """What every engine has to give: what the processor gives."""
    return _run_linux([], iterations, name)[0]


def _run_linux(launcher: list[str], iterations: int, name: str) -> tuple[str, int, str]:
    """Result, ticks and standard error of the Linux executable."""
    command = [*launcher, str(programs(name).linux), str(iterations)]
    try:
        done = run_program(command, timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} was not done after {_TIMEOUT_SECONDS} s") from None
    words = done.stdout.split()
    if done.returncode or len(words) != 2:
        said = done.stderr.strip().splitlines()
        raise Absent(f"{command[0]} ended with {done.returncode}{': ' + said[-1] if said else ''}")
    return words[0], int(words[1]), done.stderr


def check_result(got: str, iterations: int, engine: str, name: str = "program") -> None:
    """Violated if an engine did not do the work."""
    if got != result_of(iterations, name):
        raise Violated(f"{engine}: {name} gave {got}, and the processor {result_of(iterations, name)}")


def linux_seconds(launcher: list[str], iterations: int, name: str = "program") -> float:
    """Seconds within the Linux executable, run by the processor or by `launcher`."""
    got, ticks, _ = _run_linux(launcher, iterations, name)
    check_result(got, iterations, launcher[0] if launcher else "the processor", name)
    return ticks / tsc_hz()


def guest_seconds(iterations: int, *, hook: str = "count", events: str = "", name: str = "program") -> float:
    """Seconds within the guest, with its counters running if there are events."""
    cpu = VECTOR_CPU if name in VECTORS else "default"
    result = run_guest(programs(name).guest, [f"iterations={iterations}"], hook=hook, events=events, cpu=cpu)
    got, ticks = result.console.split()
    check_result(got.decode(), iterations, "pvperf", name)
    return int(ticks) / tsc_hz()


@cache
def instructions_per_iteration() -> float:
    """As the paravirtual interface counts them, exactly: the difference between two lengths."""
    few, many = map(_count_instructions, COUNTED_LENGTHS)
    return (many - few) / (COUNTED_LENGTHS[1] - COUNTED_LENGTHS[0])


def _count_instructions(iterations: int) -> int:
    result = run_guest(programs().guest, [f"iterations={iterations}"], events="instructions")
    (count,) = result.counts
    if count.value is None:
        raise Violated(f"instructions were not counted: {count.error}")
    return count.value
