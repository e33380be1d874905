# SPDX-License-Identifier: GPL-2.0-only
"""Locked guest instructions: native/engine/atomic/lockop.c against the processor itself."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    ROOT / "native/engine/atomic/lockop.c",
    *sorted((ROOT / "native/engine/x86").glob("*.c")),
    *sorted((ROOT / "tests/native/lockop").glob("lockop_*.c")),
]
WARNINGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]
BUILDS = {
    "plain": ["-O2"],
    "sanitized": ["-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}
TIMEOUT_SECONDS = 300

Program = Callable[[str, int], list[str]]


def build(folder: Path, flags: list[str]) -> Path:
    """Compile the test program into `folder`."""
    program = folder / "lockop_test"
    command = [shutil.which("cc") or "gcc", *WARNINGS, *flags, f"-I{ROOT / 'native'}"]
    command += [*map(str, SOURCES), "-pthread", "-o", str(program)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert result.returncode == 0, result.stderr
    return program


@pytest.fixture(scope="module", params=BUILDS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Run one part of the test program with an amount of work: its PASS lines, all of them that."""
    executable = build(tmp_path_factory.mktemp(f"lockop-{request.param}"), BUILDS[request.param])
    sanitized = request.param == "sanitized"

    def run(part: str, amount: int) -> list[str]:
        if sanitized:
            amount //= 10
        result = subprocess.run(
            [executable, part, str(amount)], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        lines = result.stdout.splitlines()
        failed = [line for line in lines if line.startswith("FAIL")]
        assert (failed, result.returncode) == ([], 0), result.stderr[-4000:]
        passed = [line for line in lines if line.startswith("PASS")]
        assert lines[-1] == f"SUMMARY: {len(passed)} tests, 0 failures"
        return passed

    return run


@pytest.mark.parametrize("states", [200, pytest.param(2000, marks=pytest.mark.soak)])
def test_every_form_is_what_the_processor_does(program: Program, states: int) -> None:
    """Registers, flags and memory, for each form with each addressing, segment and address size."""
    lines = program("forms", states)
    total = re.search(r"129 forms, (\d+) states", lines[-1])
    assert total is not None
    assert int(total[1]) >= 129 * 54 * states // 10


def test_only_lockable_forms_are_decoded(program: Program) -> None:
    """Every opcode with LOCK, random prefixes, and forms without LOCK or memory."""
    assert len(program("decode", 100_000)) > 20


@pytest.mark.timeout(600)  # some hosts take 50 us for an operation across two lines
@pytest.mark.parametrize("times", [50_000, pytest.param(250_000, marks=pytest.mark.soak)])
def test_no_update_is_lost_between_threads(program: Program, times: int) -> None:
    """Four threads on one word: aligned, unaligned, across lines and across pages."""
    assert len(program("atomicity", times)) > 200
