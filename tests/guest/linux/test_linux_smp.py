# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernel on several vCPU processes: it finds them all, and they have one memory, one clock and one code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from commands import PVPERF

from emulator.debian import places
from emulator.guest.build import find_compiler

TORTURE = Path(__file__).resolve().parents[2] / "native/linux/torture.c"
pytestmark = pytest.mark.skipif(
    not (places.directory() / places.SMALL).exists(), reason="Debian's kernel is not there: pvperf linux --fetch"
)
PATIENCE = 900
#: What Linux writes of a CPU that does not come, or is not heard of; written so that its command line has none of it.
COMPLAINTS = "grep -E 'stal[l]|locku[p]|BU[G]:|WARNIN[G]:|Oop[s]|failed t[o]|not respondin[g]'"


@pytest.fixture(scope="module")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, for the guest."""
    program = tmp_path_factory.mktemp("smp") / "torture"
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread"]
    subprocess.run([*find_compiler(), *flags, str(TORTURE), "-o", str(program)], check=True)
    return program


def linux(smp: int, program: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = [*PVPERF, "linux", "--small", "--smp", str(smp), "--add", str(program), "--", "sh", "-c", script]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
    )


def judge(done: subprocess.CompletedProcess[str], smp: int) -> None:
    expected = ["atomics: 0 lost", "mappings: 0 lost", "code: 0 lost", "processes: 0 lost", f"{smp} processors"]
    assert (done.stdout.splitlines(), done.returncode) == (expected, 0), done.stderr


def script(smp: int, rounds: int) -> str:
    return f"./torture {smp} {rounds} || exit; echo $(nproc) processors; dmesg | {COMPLAINTS} && exit 9; exit 0"


@pytest.mark.timeout(PATIENCE)
def test_two_vcpus_lose_nothing(torture: Path) -> None:
    judge(linux(2, torture, script(2, 200)), 2)


@pytest.mark.soak
@pytest.mark.parametrize("smp", [3, 4, 8])
@pytest.mark.timeout(PATIENCE)
def test_more_vcpus_lose_nothing(torture: Path, smp: int) -> None:
    judge(linux(smp, torture, script(smp, 1000)), smp)


@pytest.mark.timeout(PATIENCE)
def test_time_is_one_for_all(torture: Path) -> None:
    """What one vCPU sleeps passes for the other, and neither waits for the host's clock."""
    done = linux(
        2,
        torture,
        "read a b </proc/uptime; taskset 2 sleep 30; taskset 1 sleep 30; read c b </proc/uptime; echo ${a%.*} ${c%.*}",
    )
    before, after = map(int, re.findall(r"\d+", done.stdout))
    assert 60 <= after - before < 70, done.stderr
