# SPDX-License-Identifier: GPL-2.0-only
"""The host core in C, by its own test program: plain, under ThreadSanitizer, under AddressSanitizer and UBSan."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE, TESTS = ROOT / "native", ROOT / "tests/native/core"
SOURCES = [*sorted((NATIVE / "core").glob("*/*.c")), NATIVE / "abi/handover.c", *sorted(TESTS.rglob("core_*.c"))]
SOURCES += [TESTS.parent / "checks.c"]
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g1", "-pthread"]
FLAGS += [f"-I{NATIVE}"]
FLAGS += ["-include", str(TESTS / "core_point.h")]
BUILDS = {
    "plain": ["-O2"],
    "thread": ["-O1", "-fsanitize=thread"],
    "address": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}
# Every test of the program, by the file that holds it.
SUITES = {
    "attr": ["attr_rows", "attr_bits", "attr_levels", "attr_breakpoints", "attr_breakpoint_source"],
    "op": [
        *("hypercall_numbers", "feature_off", "open_errors", "open_aliases", "ids", "window"),
        *("capacities_of_one", "many_in_one_bucket", "allocation_failures", "bad_configurations"),
        *("event_fd", "ports", "bad_exits"),
    ],
    "pmu": [
        *("sources", "bus_cycles_are_floored_once", "clocks", "rotation", "enabling_instruction_is_outside"),
        *("remote_before_retirement", "times_of_closed_events", "agent_is_not_counted"),
    ],
    "overflow": [
        *("exact", "alarms", "period_moves", "queued_moves", "nothing_after", "misses", "unwritable", "full_word"),
        *("throttling", "throttling_ends", "frequency", "frequency_late", "frequency_steps", "frequency_idle"),
        *("sync_policies", "two_owners", "hold", "distances", "drawn", "drawn_late"),
    ],
    "clock": [
        "clock_overflows",
        "clock_misses",
        "clock_without_level",
        "clock_throttles",
        "clock_while_parking",
        "parked_clocks",
    ],
    "clock_queue": [
        *("clock_heap", "clocks_in_turn", "clocks_together", "clocks_let_others_in", "clocks_in_goes", "far_clocks"),
    ],
    "design": [
        *("defect_1_failed_write", "defect_2_duplicate_leaks", "defect_3_limit_race", "defect_4_second_allocation"),
        *("duplicate_short_of_memory", "defect_5_list_of_counters", "defect_6_errors", "defect_7_bound_to_opener"),
        *("defect_8_host_breakpoint", "defect_9_written_back_whole", "scenario_2", "close_when_over", "per_vcpu"),
    ],
    "conserve": ["conserve_quick"],
    "sync": ["exclusion", "misuse", "panic_frees_waiters", "event_count", "spinlock_gives_way", "polling_adapts"],
    "open2": [
        *("open2_errors", "group_errors", "room", "room_for_siblings", "formats", "unique_ids", "other_designs"),
        *("records_are_marked", "read_writes_anew", "leader_is_closed_meanwhile", "leader_0"),
    ],
    "group": [
        *("groups_move", "sibling_leaves", "last_counter_leaves", "leader_closes", "groups_rotate", "breakpoints"),
        *("refused_move", "lock_outlives_leader"),
    ],
    "group_sample": ["siblings_sample", "sampled_clock_takes_turns"],
    "group_race": ["group_is_whole", "groups_under_fire"],
    "agent": ["owners", "agent_comes_late", "agent_memory", "counts_while_it_runs", "counts_under_way"],
    "quiet": ["quiet_points", "quiet_limit", "fault_alloc_ends_the_vm", "fault_delay_takes_time"],
    "lies": ["lies_end_the_vm", "scribbling_changes_nothing"],
    "life": [
        *(
            "never_started",
            "destroy_is_refused_while_running",
            "second_start_is_refused",
            "kicks_are_never_lost",
            "all_halted",
        ),
        *(
            "end_waits_for_the_timer",
            "finish_wakes_the_parked",
            "full_console",
            "end_frees_blocked_writers",
            "shutdown",
        ),
        *("orderly_end_with_agent", "watchdog", "panic_ends_the_vm", "panic_in_nmi"),
        *("panic_while_ending", "out_of_memory"),
    ],
    "race": [
        *("limit", "migration", "cross_reads", "one_event_for_all", "stuck_vcpus_can_be_read"),
        *("death_frees_who_waits", "timer_rotates"),
    ],
    "hostile": ["hostile_arguments", "ends_at_random_moments"],
    "ring": ["ring_order", "ring_wraps", "ring_small_buffer", "ring_malformed", "ring_garbage", "ring_race"],
    "trace": [
        *("trace_off", "trace_wraps", "trace_of_some_kinds", "trace_of_an_overflow", "trace_of_two_vcpus"),
        *("trace_race", "trace_of_threads"),
    ],
    "stress": ["stress_quick"],
}
SLOW = {"conserve": "conserve_million", "stress": "stress_million"}
LISTED = [
    name for suite, names in SUITES.items() for name in [*names, *([f"{SLOW[suite]} slow"] if suite in SLOW else [])]
]
TIMEOUT_SECONDS = 500


@pytest.fixture(scope="module")
def built() -> dict[str, Path]:
    """What was made until now, by its build."""
    return {}


@pytest.fixture(scope="module", params=BUILDS)
def program(request: pytest.FixtureRequest, built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test program in one build."""
    build = request.param
    if build not in built:
        path = tmp_path_factory.mktemp(f"core-{build}") / "core_test"
        command = [shutil.which("cc") or "gcc", *FLAGS, *BUILDS[build], *map(str, SOURCES), "-o", str(path)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        assert result.returncode == 0, result.stderr
        built[build] = path
    return built[build]


def run(program: Path, *names: str) -> list[str]:
    """Run tests by name, or all the quick ones: the names of those that passed, and nothing else happened."""
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=1"}
    result = subprocess.run(
        [program, *names], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, env=environment, check=False
    )
    lines = result.stdout.splitlines()
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-6000:]
    assert lines, "the program said nothing"
    assert lines[-1] == f"SUMMARY: {len(lines) - 1} tests, 0 failures"
    assert result.stderr == ""
    return [line.removeprefix("PASS: ") for line in lines[:-1]]


def test_the_program_has_no_other_tests(program: Path) -> None:
    """A test that is added to the program is added here, where it gets a name of its own."""
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
    assert listed.stdout.splitlines() == LISTED


@pytest.mark.parametrize("suite", SUITES)
def test_core(program: Path, suite: str) -> None:
    assert run(program, *SUITES[suite]) == SUITES[suite]


#: Under ThreadSanitizer as much again as all other tests of the program; conserve_quick and stress_quick do the same
#: there, less often.
LONGEST = "thread"


@pytest.mark.parametrize(
    ("program", "name"),
    [
        pytest.param(build, name, marks=pytest.mark.soak if build == LONGEST else pytest.mark.slow)
        for build in BUILDS
        for name in SLOW.values()
    ],
    indirect=["program"],
)
def test_a_million(program: Path, name: str) -> None:
    """A million operations on the table from four threads; a million overflows for each NMI policy, sync policy and
    share of lost trylocks: nothing lost, doubled, leaked or raced."""
    assert run(program, name) == [name]
