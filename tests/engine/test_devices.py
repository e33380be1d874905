# SPDX-License-Identifier: GPL-2.0-only
"""A PC's devices (native/engine/devices/), by their own test program: data sheets, and Linux's drivers."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    *sorted((ROOT / "native/engine/devices").glob("*.c")),
    *sorted((ROOT / "tests/native/devices").glob("*.c")),
    ROOT / "tests/native/checks.c",
]
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g1", f"-I{ROOT / 'native'}"]
BUILDS = {
    "plain": ["-O2"],
    "address": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "thread": ["-O1", "-fsanitize=thread"],
}
TESTS = {
    "uart": [
        *("linux_finds_a_16550a", "fifo_has_16_bytes", "without_fifo_the_last_stays", "transmitter_interrupts_again"),
        *("each_byte_interrupts", "input_interrupts", "input_waits_for_room", "line_and_modem_interrupts"),
    ],
    "pic": [
        *("masked_at_first", "priorities", "edges", "spurious", "cascaded", "specially_nested", "automatic_eoi"),
        *("rotation", "special_mask", "polled", "levels"),
    ],
    "pit": [
        *("mode_0", "mode_1", "mode_2", "mode_3", "mode_4", "mode_5", "whole_range", "access_modes", "read_back"),
        *("linux_calibrates", "linux_ticks", "ticks_change"),
    ],
    "cmos": [
        *("goes_with_the_clock", "update_in_progress", "is_set", "ways_to_write_a_time", "interrupts", "alarms"),
    ],
    "apic": [
        *("higher_interrupts_lower", "task_priority_holds_back", "software_disable_masks", "timer_counts_down"),
        *("deadline_is_a_time", "destinations", "illegal_vectors", "others_are_started", "reserved_bits_fault"),
        "base_goes_by_the_manual",
    ],
    "others": ["reset_lines", "nobody", "one_at_a_time"],
}


@pytest.mark.parametrize("build", BUILDS)
def test_devices(build: str, tmp_path: Path) -> None:
    program = tmp_path / "devices_test"
    command = [shutil.which("cc") or "gcc", *FLAGS, *BUILDS[build], *map(str, SOURCES), "-pthread", "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False)
    names = [name for suite in TESTS.values() for name in suite]
    expected = [f"PASS: {name}" for name in names] + [f"SUMMARY: {len(names)} tests, 0 failures"]
    assert (done.stdout.splitlines(), done.returncode) == (expected, 0), done.stderr[-4000:]
