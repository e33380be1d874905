# SPDX-License-Identifier: GPL-2.0-only
"""What the agent's NMI handler is made of, compiled for this machine: plain, and under the sanitizers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from emulator.guest.build import AGENT_MAGIC, build_agent

ROOT = Path(__file__).resolve().parents[2]
AGENT, TESTS = ROOT / "native/guest/agent", ROOT / "tests/native/agent"
SOURCES = [AGENT / f"{name}.c" for name in ("chain", "guest_walk", "nmi", "ring")]
SOURCES += [*sorted(TESTS.glob("agent_*.c")), TESTS.parent / "checks.c"]
INCLUDES = [ROOT / "native/abi", ROOT / "native/guest/runtime", AGENT]
FLAGS = [
    "-std=c11",
    "-D_GNU_SOURCE",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-g",
    "-pthread",
    *(f"-I{path}" for path in INCLUDES),
]
BUILDS = {
    "plain": ["-O2"],
    "thread": ["-O1", "-fsanitize=thread"],
    "address": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}
NAMES = [
    *("ring_wraps", "ring_full", "ring_hostile", "ring_race"),
    *("walk_sizes", "walk_limits", "walk_hostile"),
    *("chain_frames", "chain_ends", "chain_hostile"),
    *("nmi_sample", "nmi_without_ring", "nmi_periods_add_up"),
]
TIMEOUT_SECONDS = 100


@pytest.fixture(scope="module", params=BUILDS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test program in one build."""
    path = tmp_path_factory.mktemp(f"agent-{request.param}") / "agent_test"
    command = [shutil.which("cc") or "gcc", *FLAGS, *BUILDS[request.param], *map(str, SOURCES), "-o", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert result.returncode == 0, result.stderr
    return path


def test_the_program_has_no_other_tests(program: Path) -> None:
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
    assert listed.stdout.split() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_agent(program: Path, name: str) -> None:
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=1"}
    result = subprocess.run(
        [program, name], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, env=environment, check=False
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr[-6000:]
    assert result.stdout.splitlines() == [f"PASS: {name}", "SUMMARY: 1 tests, 0 failures"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_agent_is_one_flat_piece(compiler: str, tmp_path: Path) -> None:
    """No relocation, no writable data, three entries within it: else the linker or this refuses it."""
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    build_agent(tmp_path / "agent.bin", cc=compiler)
    blob = (tmp_path / "agent.bin").read_bytes()
    entries = [int.from_bytes(blob[at : at + 8], "little") for at in (8, 16, 24)]
    assert blob.startswith(AGENT_MAGIC)
    assert entries == sorted(set(entries))
    assert entries[0] >= 32
    assert entries[-1] < len(blob)
