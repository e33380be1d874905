# SPDX-License-Identifier: GPL-2.0-only
"""No wake-up is lost: who sleeps has no other way to come back in this build."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"
SOURCES = [
    NATIVE / "abi/handover.c",
    NATIVE / "core/locks/sync_real.c",
    NATIVE / "core/locks/panic.c",
    ROOT / "tests/native/core/wake_test.c",
]
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g", "-pthread", "-DPV_RECHECK_NS=3600000000000"]
FLAGS += [f"-I{NATIVE}"]


def test_no_wake_up_is_lost(tmp_path: Path) -> None:
    program = tmp_path / "wake_test"
    command = [shutil.which("cc") or "gcc", *FLAGS, "-O2", *map(str, SOURCES), "-o", str(program)]
    subprocess.run(command, check=True)
    result = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "SUMMARY: 4 tests, 0 failures\n", "")
