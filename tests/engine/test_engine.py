# SPDX-License-Identifier: GPL-2.0-only
"""Alarms and NMIs of the engine in C, by its own test program, which plays the host."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE, TESTS = ROOT / "native", ROOT / "tests/native/engine"
SOURCES = [*sorted((NATIVE / "engine").glob("*/*.c")), NATIVE / "abi/handover.c", *sorted(TESTS.glob("engine_*.[cS]"))]
SOURCES += [TESTS.parent / "checks.c"]
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g1", "-pthread"]
FLAGS += [f"-I{NATIVE}"]
BUILDS = {
    "plain": ["-O2"],
    "address": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "thread": ["-O1", "-fsanitize=thread"],
}
# The library, by the name that programs look for it under.
LIBRARIES = {"unicorn": ("libunicorn.so.2", "libunicorn.so.2")}
# Every quick test of the program.
ALARM = [
    *("points_are_blocks", "distances", "distances_with_oracle", "in_cold_code", "left_alone", "periods"),
    *("of_time", "time_is_never_earlier", "without_penalties", "of_events", "in_a_rep", "before_an_out"),
]
NMI = [
    *("everywhere", "everywhere_with_oracle", "on_a_stack_of_its_own", "freezes_exits", "latch"),
    *("ends_at_the_first_iret", "wakes_hlt", "ends_hlt_in_a_shadow", "waits_behind_mov_ss", "in_rep_outs"),
    *(
        "behind_out",
        "behind_handlers_out",
        "before_a_hypercall",
        "after_a_kick",
        "in_any_loop",
        "freezes_cycles_of_time",
        "a_long_way",
    ),
]
AGENT = [
    *("is_transparent", "is_transparent_to_the_oracle", "restores_everything", "has_its_own_memory"),
    *("has_its_own_code", "out_of_reach", "at_random"),
    *("first", "in_a_guest_nmi", "latch", "that_never_ends", "finish_in_an_nmi", "that_faults", "that_is_not_there"),
    *("with_a_jump", "is_not_debugged", "wakes_hlt", "iret_of_a_guest", "stays_decoded"),
]
EXIT = [
    "jump_in_outs",
    "stop_in_outs",
    "of_each_port",
    "ahead",
    "jump_at_each_port",
    "stop_at_each_port",
    "in_stays_decoded",
]
PLACE = ["is_the_better", "follows"]
SUITES = {"alarm": ALARM, "nmi": NMI, "agent": AGENT, "exit": EXIT, "place": PLACE}
ALL = [f"{suite}_{name}" for suite, names in SUITES.items() for name in names]
COSTS = ["cost_of_nmis"]  # printed when asked for, and no test
TIMEOUT_SECONDS = 300


def package_folder(name: str) -> Path:
    """Where the installed package has include/ and lib/."""
    spec = importlib.util.find_spec(name)
    assert spec
    assert spec.origin, "the engine needs it, too"
    return Path(spec.origin).parent


@pytest.fixture(scope="module")
def built() -> dict[str, Path]:
    """What was made until now, by its build."""
    return {}


@pytest.fixture(scope="module", params=BUILDS)
def program(request: pytest.FixtureRequest, built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test program in one build."""
    if request.param not in built:
        built[request.param] = make(request.param, tmp_path_factory.mktemp(f"engine-{request.param}"))
    return built[request.param]


def make(build: str, folder: Path) -> Path:
    command = [shutil.which("cc") or "gcc", *FLAGS, *BUILDS[build], *map(str, SOURCES)]
    for name, (file, soname) in LIBRARIES.items():
        package = package_folder(name)
        (folder / soname).symlink_to(package / "lib" / file)
        command += [f"-I{package / 'include'}", str(folder / soname)]
    command += [f"-Wl,-rpath,{folder}", "-o", str(folder / "engine_test")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert result.returncode == 0, result.stderr
    return folder / "engine_test"


def test_the_program_has_no_other_tests(program: Path) -> None:
    """A test that is added to the program is added here, where it gets a name of its own."""
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
    assert listed.stdout.splitlines() == [*ALL, *(f"{name} slow" for name in COSTS)]


#: Each takes half a minute under ThreadSanitizer. They try other code of the guest's, addresses and distances; the
#: engine's thread and the host's hand over to each other there as they do in all tests.
LONGEST = {
    f"thread-{name}" for name in ("agent_out_of_reach", "agent_at_random", "alarm_distances", "alarm_in_cold_code")
}


@pytest.mark.parametrize(
    ("program", "name"),
    [
        pytest.param(build, name, id=f"{build}-{name}", marks=pytest.mark.soak if f"{build}-{name}" in LONGEST else ())
        for build in BUILDS
        for name in ALL
    ],
    indirect=["program"],
)
def test_engine(program: Path, name: str) -> None:
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=1"}
    result = subprocess.run(
        [program, name], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, env=environment, check=False
    )
    assert result.stdout.splitlines() == [f"PASS: {name}", "SUMMARY: 1 tests, 0 failures"], result.stderr[-6000:]
    assert (result.returncode, result.stderr) == (0, "")
