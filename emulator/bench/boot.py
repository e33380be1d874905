# SPDX-License-Identifier: GPL-2.0-only
"""From `pvperf run` to the guest's first byte with four vCPUs, against bare Python; and what a vCPU adds in memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from emulator.bench.measure import Row, Sample, interleave, ratio

VCPUS = 4


def _command(arguments: Sequence[str]) -> Callable[[], float]:
    """Seconds until the command has ended."""

    def once() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    return once


def _first_byte(arguments: Sequence[str]) -> Callable[[], float]:
    """Seconds until the command writes its first byte, which the guest does first of all."""

    def once() -> float:
        start = time.perf_counter()
        with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            took = time.perf_counter() - start
            process.stdout.read()
        return took

    return once


def _vcpu_pss_kib() -> float:
    """What a further vCPU adds to the proportional set size of the whole VM, KiB."""
    from emulator.machine import VirtualMachine

    def total(vcpus: int) -> int:
        with VirtualMachine(smp=vcpus) as vm:
            return sum(vm.run("hello", measure_memory=True).pss_kib.values())

    return (total(VCPUS) - total(1)) / (VCPUS - 1)


def measure(*, rounds: int) -> list[Row]:
    bare = "pass"
    engine = "from emulator.native import load_engine; load_engine()"
    samples = interleave(
        {
            "bare": _command(["-c", bare]),
            "engine": _command(["-c", engine]),
            "run": _first_byte(["-m", "emulator", "run", "--smp", str(VCPUS), "hello"]),
            "help": _command(["-m", "emulator", "--help"]),
        },
        rounds=rounds,
    )
    # The limit is stated against `python -c pass` plus the import of one engine; the
    # command that imports it has paid for `pass` already.
    reference = Sample("python with one engine", samples["engine"].seconds)
    return [
        Row("python -c pass", samples["bare"].median * 1e3, "ms", raw=samples["bare"].seconds),
        Row("python and one engine's import", samples["engine"].median * 1e3, "ms", raw=samples["engine"].seconds),
        Row(f"run to the first byte, {VCPUS} vCPUs", samples["run"].median * 1e3, "ms", raw=samples["run"].seconds),
        Row(f"first byte / engine import, {VCPUS} vCPUs", ratio(samples["run"], reference), "x", "<= 5"),
        Row("--help / python -c pass", ratio(samples["help"], samples["bare"]), "x", "<= 3"),
        Row("a further vCPU adds", _vcpu_pss_kib(), "KiB PSS"),
    ]
