# SPDX-License-Identifier: GPL-2.0-only
"""The Python API: what a run gives, every way in which it ends, and what is refused before anything starts."""

from __future__ import annotations

import errno
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import children, segments
from tiny_guest import (
    HALT,
    SAY_BOOT_INFORMATION,
    SAY_COMMAND_LINE,
    SPIN,
    UNDEFINED,
    Elf,
    count_down,
    guest,
    leave,
    say,
)

from emulator import VirtualMachine
from emulator.errors import AllHalted, GuestShutdown, HostError, OutOfMemory, Unsupported, UsageError
from emulator.events import Event, parse_events
from emulator.vm.machine import CONSOLE_KEPT, MachineConfig, _end_error, _Output
from emulator.vm.protocol import Ended

MIB = 1 << 20


def event(kind: int, config: int, flags: int = 0) -> Event:
    """By its numbers."""
    return Event(name="", canonical="", type=kind, config=config, flags=flags)


INSTRUCTIONS, BRANCHES = event(0, 1), event(0, 4)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No child, no segment and no file descriptor of this process survives a test."""
    descriptors = set(os.listdir("/proc/self/fd"))
    yield
    assert children(os.getpid()) == []
    assert segments(os.getpid()) == []
    left = set(os.listdir("/proc/self/fd")) - descriptors
    assert len(left) <= 1  # the directory that is being listed


@pytest.fixture
def vm() -> Iterator[VirtualMachine]:
    with VirtualMachine(memory=MIB) as machine:
        yield machine


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_exit_status(vm: VirtualMachine, tmp_path: Path, status: int) -> None:
    result = vm.run(guest(tmp_path, leave(status)))
    assert (result.status, result.ended, result.console, result.counts) == (status, "exit", b"", ())
    assert result.elapsed_s > 0
    assert result.statistics["exits_ready"] == 1
    assert result.pss_kib == {}


def test_a_machine_boots_anew_each_time(vm: VirtualMachine, tmp_path: Path) -> None:
    # inc byte [0x10100]; its value is the exit status: 1 only in fresh memory.
    code = b"\xfe\x04\x25\x00\x01\x01\x00\x8a\x04\x25\x00\x01\x01\x00\xe6\xf4" + HALT
    path = guest(tmp_path, code + bytes(0x110))
    assert [vm.run(path).status for _ in range(3)] == [1, 1, 1]


def test_console_comes_whole_and_in_order(vm: VirtualMachine, tmp_path: Path) -> None:
    text = "".join(map(chr, range(1, 128))) * 2000
    parts: list[bytes] = []
    result = vm.run(guest(tmp_path, SAY_COMMAND_LINE + leave(0)), [text], console=parts.append)
    assert result.console == b"".join(parts) == text.encode()


def test_console_is_kept_up_to_a_limit() -> None:
    passed = []
    output = _Output(lambda data: passed.append(len(data)))
    for _ in range(3):
        output.write(bytes(CONSOLE_KEPT // 2 + 1))
    assert len(output.kept) == CONSOLE_KEPT
    assert sum(passed) == 3 * (CONSOLE_KEPT // 2 + 1)


@pytest.mark.parametrize("vcpus", [1, 3])
def test_a_flood_of_output_does_not_drown_the_end(tmp_path: Path, vcpus: int) -> None:
    flood = b"\x66\xba\xf8\x03\xb0\x41\xee\xeb\xfd"  # mov dx, 0x3f8; mov al, 'A'; out; jmp to the out
    with VirtualMachine(smp=vcpus, memory=MIB) as vm:
        result = vm.run(guest(tmp_path, flood), timeout=0.3)
    assert result.ended == "timeout"
    assert len(result.console) == min(result.statistics["console_bytes"], CONSOLE_KEPT)
    assert set(result.console) == {ord("A")}


def test_boot_information(tmp_path: Path) -> None:
    with VirtualMachine(memory=3 * MIB) as vm:
        result = vm.run(guest(tmp_path, SAY_BOOT_INFORMATION + leave(0)))
    magic, version, vcpus, ram, *_ = struct.unpack("<8sIIQQQ", result.console)
    assert (magic, version, vcpus, ram) == (b"PVPERF01", 1, 1, 3 * MIB)


@pytest.mark.parametrize(("args", "line"), [((), ""), (("a", "b=1"), "a b=1"), (("zwölf", "\udcff"), "zwölf \udcff")])
def test_command_line(vm: VirtualMachine, tmp_path: Path, args: tuple[str, ...], line: str) -> None:
    assert vm.run(guest(tmp_path, SAY_COMMAND_LINE + leave(0)), args).console == os.fsencode(line)


@pytest.mark.parametrize("vcpus", [1, 2, 5])
def test_every_vcpu_starts_with_its_index(tmp_path: Path, vcpus: int) -> None:
    # Adds 1 << RDI to the byte at 0x10100, then waits until all have; the vCPU of index 0 leaves with the sum.
    code = (
        b"\x89\xf9\xb0\x01\xd2\xe0"  # mov ecx, edi; mov al, 1; shl al, cl
        b"\xf0\x08\x04\x25\x00\x01\x01\x00"  # lock or [0x10100], al
        + b"\x80\x3c\x25\x00\x01\x01\x00"
        + bytes([(1 << vcpus) - 1])  # cmp byte [0x10100], all
        + b"\x75\xf6\x85\xff\x75\x05\x8a\xc0"  # jne back; test edi, edi; jne to the halt; (mov al, al)
        + b"\xb0\x07\xe6"  # mov al, 7; out
        + b"\xf4"
        + HALT
    )
    with VirtualMachine(smp=vcpus, memory=MIB) as vm:
        assert vm.run(guest(tmp_path, code + bytes(0x110)), timeout=300).status == 7


# vCPU 0: mov eax, 5; mov ecx, 1; vmcall, which kicks vCPU 1; halt. vCPU 1: hlt until the kick, then leave.
MEET = b"\x85\xff\x75\x10" + b"\xb8\x05\x00\x00\x00\xb9\x01\x00\x00\x00\x0f\x01\xc1" + HALT + b"\xf4" + leave(0)


def test_counts_are_exact_on_every_vcpu(tmp_path: Path) -> None:
    values = {}
    events: Any = [INSTRUCTIONS, BRANCHES]
    with VirtualMachine(smp=2, memory=MIB) as vm:
        for turns in (1000, 51000):
            result = vm.run(guest(tmp_path, count_down(turns) + MEET), events=events)
            assert all(count.error is None for count in result.counts)
            assert all(count.running_ns == count.enabled_ns > 0 for count in result.counts)
            values[turns] = {(count.vcpu, count.event): count.value or 0 for count in result.counts}
    for vcpu in range(2):
        assert values[51000][vcpu, events[0]] - values[1000][vcpu, events[0]] == 100_000
        assert values[51000][vcpu, events[1]] - values[1000][vcpu, events[1]] == 50_000
        assert values[1000][vcpu, events[1]] == 1001  # and the jnz


def test_vcpus_that_had_not_begun_are_counted(tmp_path: Path) -> None:
    """The end is asked for by the first; the agents of the others start, and finish at once."""
    with VirtualMachine(smp=4, memory=4 * MIB) as vm:
        result = vm.run(guest(tmp_path, leave(0)), events="instructions")
    assert [count.error for count in result.counts] == [None] * 4


def test_an_event_that_cannot_be_opened_has_the_guests_errno(vm: VirtualMachine, tmp_path: Path) -> None:
    events: Any = [INSTRUCTIONS, event(99, 0), event(0, 1, flags=1 << 1 | 1 << 60)]
    good, bad_type, bad_flag = vm.run(guest(tmp_path, leave(0)), events=events).counts
    assert (good.error, bad_type.value, bad_flag.value) == (None, None, None)
    assert bad_type.error in ("ENOENT", "EINVAL")
    assert bad_flag.error == "EINVAL"


def test_events_without_the_feature(tmp_path: Path) -> None:
    events: Any = [INSTRUCTIONS]
    with VirtualMachine(memory=MIB, pv_perf=False) as vm:
        (count,) = vm.run(guest(tmp_path, leave(3)), events=events).counts
    assert (count.value, count.error) == (None, "ENOSYS")


@pytest.mark.parametrize("events", [[], [INSTRUCTIONS]])
def test_timeout_is_an_orderly_end(vm: VirtualMachine, tmp_path: Path, events: Any) -> None:
    result = vm.run(guest(tmp_path, SPIN), events=events, timeout=1.5)
    assert (result.ended, result.status) == ("timeout", -1)
    assert all(count.value is not None and count.value > 1000 for count in result.counts)


def test_timeout_of_nothing(vm: VirtualMachine, tmp_path: Path) -> None:
    assert vm.run(guest(tmp_path, SPIN), timeout=0).ended == "timeout"


def test_stop_from_the_console_callback(vm: VirtualMachine, tmp_path: Path) -> None:
    events: Any = [INSTRUCTIONS]
    result = vm.run(guest(tmp_path, say(b"x") + SPIN), events=events, console=lambda _: vm.stop())
    assert (result.ended, result.console) == ("stopped", b"x")
    assert result.counts[0].value is not None


def test_stop_from_another_thread_and_twice(vm: VirtualMachine, tmp_path: Path) -> None:
    def ask() -> None:
        running.wait()
        vm.stop()
        vm.stop()

    running = threading.Event()
    thread = threading.Thread(target=ask)
    thread.start()
    result = vm.run(guest(tmp_path, say(b"x") + SPIN), console=lambda _: running.set())
    thread.join()
    assert result.ended == "stopped"
    assert vm.run(guest(tmp_path, leave(4))).status == 4  # an old stop() does not end a new run


def test_stop_from_a_signal_handler(vm: VirtualMachine, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: vm.stop())
    try:
        path = guest(tmp_path, say(b"x") + SPIN)
        assert vm.run(path, console=lambda _: os.kill(os.getpid(), signal.SIGUSR1)).ended == "stopped"
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_stop_without_a_run_does_nothing(vm: VirtualMachine, tmp_path: Path) -> None:
    vm.stop()
    assert vm.run(guest(tmp_path, leave(5))).ended == "exit"


def test_close_ends_the_run_of_another_thread(tmp_path: Path) -> None:
    vm = VirtualMachine(memory=MIB)
    results = []
    running = threading.Event()
    path = guest(tmp_path, say(b"x") + SPIN)
    thread = threading.Thread(target=lambda: results.append(vm.run(path, console=lambda _: running.set())))
    thread.start()
    running.wait()
    vm.close()
    thread.join()
    assert [result.ended for result in results] == ["stopped"]
    vm.stop()


def test_two_machines_run_side_by_side(tmp_path: Path) -> None:
    statuses: dict[int, int] = {}

    def boot(status: int) -> None:
        with VirtualMachine(smp=2, memory=MIB) as vm:
            path = guest(tmp_path, count_down(200_000) + leave(status), f"{status}.elf")
            statuses[status] = vm.run(path).status

    threads = [threading.Thread(target=boot, args=(status,)) for status in (10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {10: 10, 20: 20, 30: 30}


def test_one_machine_runs_once_at_a_time(vm: VirtualMachine, tmp_path: Path) -> None:
    path = guest(tmp_path, say(b"x") + SPIN)

    def again(_: bytes) -> None:
        with pytest.raises(UsageError, match="running already"):
            vm.run(path)
        vm.stop()

    assert vm.run(path, console=again).ended == "stopped"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_what_a_callback_raises_comes_out(vm: VirtualMachine, tmp_path: Path, error: type[BaseException]) -> None:
    def fail(_: bytes) -> None:
        raise error

    with pytest.raises(error):
        vm.run(guest(tmp_path, say(b"x") + SPIN), console=fail)
    assert vm.run(guest(tmp_path, leave(6))).status == 6


def test_an_end_while_vcpus_are_still_in_the_agent(tmp_path: Path) -> None:
    """The first that writes ends it: the others go from the agent's start into its finish, and nothing is missing."""
    with VirtualMachine(smp=4, memory=16 * MIB) as vm:
        for _ in range(3):
            result = vm.run(guest(tmp_path, say(b"x") + SPIN), events=[INSTRUCTIONS] * 32, console=lambda _: vm.stop())
            assert result.ended == "stopped"
            assert [count.error for count in result.counts] == [None] * 4 * 32


def test_all_halted(tmp_path: Path) -> None:
    with VirtualMachine(smp=3, memory=MIB) as vm, pytest.raises(AllHalted):
        vm.run(guest(tmp_path, HALT))


def test_triple_fault(vm: VirtualMachine, tmp_path: Path) -> None:
    with pytest.raises(GuestShutdown, match="vCPU 0"):
        vm.run(guest(tmp_path, UNDEFINED))


def test_a_guest_cannot_reach_beyond_its_ram(vm: VirtualMachine, tmp_path: Path) -> None:
    with pytest.raises(GuestShutdown):
        vm.run(guest(tmp_path, b"\xa0" + struct.pack("<Q", MIB) + leave(0)))  # mov al, [1 MiB]


def test_processes_are_known_while_it_runs(tmp_path: Path) -> None:
    seen: dict[str, int] = {}

    def look(_: bytes) -> None:
        seen.update(vm.processes)
        vm.stop()

    with VirtualMachine(smp=2, memory=MIB) as vm:
        vm.run(guest(tmp_path, say(b"x") + SPIN), console=look)
        assert vm.processes == {}
    assert set(seen) == {"host", "vcpu0", "vcpu1"}
    assert len(set(seen.values())) == 3


def test_memory_is_measured_on_demand(tmp_path: Path) -> None:
    with VirtualMachine(smp=2, memory=MIB) as vm:
        result = vm.run(guest(tmp_path, leave(0)), measure_memory=True)
    assert set(result.pss_kib) == {"host", "vcpu0", "vcpu1"}
    assert all(1000 < kib < 1_000_000 for kib in result.pss_kib.values())


def test_check_extension() -> None:
    with VirtualMachine(max_events=77) as vm:
        assert vm.check_extension(0x5056) == 77
        assert vm.check_extension(1) == 0
    with VirtualMachine(pv_perf=False) as vm:
        assert vm.check_extension(0x5056) == 0


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"smp": 0}, "number of vCPUs .smp. must be 1 to 64"),
        ({"smp": 1000}, "1 to 64"),
        ({"smp": "2"}, "smp must be a whole number, and '2' is not"),
        ({"smp": True}, "smp must be a whole number, and True is not"),
        ({"memory": "64M"}, "memory must be a whole number"),
        ({"memory": 64e6}, "memory must be a whole number"),
        ({"pv_perf": 1}, "pv_perf must be True or False, and 1 is not"),
        ({"oracle": "no"}, "oracle must be True or False"),
        ({"design": 7}, "design must be a name"),
        ({"nmi": ["trylock"]}, "nmi must be a name"),
        ({"fault": None}, "fault must be a name"),
        ({"l1d": 32768}, "l1d must be a str or None"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"config": {"smp": 2}}, "config must be a MachineConfig"),
        ({"memory": 1024}, "memory must be 1048576"),
        ({"memory": MIB + 1}, "multiple of 4096"),
        ({"memory": 1 << 50}, "memory must be"),
        ({"max_events": 0}, "max_events"),
        ({"counters": 0}, "counters"),
        ({"rotate_us": 0}, "rotate_us"),
        ({"design": "per-vmm"}, "design 'per-vmm' is not known: it is one of per-vm, posted"),
        ({"nmi": ""}, "nmi '' is not known"),
        ({"sync": None}, "sync must be a name, and None is not"),
        ({"pin": "maybe"}, "one of auto, on, off"),
        ({"cycles": "real"}, "one of model, tsc"),
        ({"atomics": "no"}, "one of host, trap, none"),
        ({"stores": "slow"}, "one of fast, unicorn"),
        ({"vcpus": 2}, "there is no setting 'vcpus'"),
        ({"hold_us": -1}, "0 to 1000000 microseconds"),
        ({"seed": -1}, "seed must be 0"),
        ({"fault": "trylok=1%"}, "there is no fault 'trylok': there are trylock, guest-write"),
        ({"fault": "trylock=101%"}, "'101%' is not"),
        ({"fault": "trylock=1"}, "'1' is not"),
        ({"fault": "trylock=0.05%"}, "'0.05%' is not"),
    ],
)
def test_settings_that_make_no_sense(overrides: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        VirtualMachine(**overrides)


def test_settings_of_a_later_version() -> None:
    with pytest.raises(Unsupported, match="is not in this version"):
        VirtualMachine(accel="kvm")


@pytest.mark.parametrize(
    "overrides",
    [
        *(
            {"pin": "on"},
            {"pin": "off"},
            {"cycles": "tsc"},
            {"atomics": "none"},
            {"stores": "unicorn"},
            {"design": "posted"},
        ),
        *({"design": "no-refcount"}, {"design": "per-vcpu"}, {"nmi": "lockless"}, {"nmi": "deferred"}),
        *({"sync": "every-exit"}, {"hold_us": 10}, {"max_sample_rate": 0}, {"fault": "trylock=50%", "seed": 7}),
    ],
)
def test_settings_that_do(tmp_path: Path, overrides: dict[str, Any]) -> None:
    with VirtualMachine(MachineConfig(smp=2, memory=MIB), **overrides) as vm:
        assert vm.config.smp == 2
        assert vm.run(guest(tmp_path, count_down(100_000) + leave(8))).status == 8


def test_the_largest_machine(tmp_path: Path) -> None:
    with VirtualMachine(smp=64, memory=2 << 30) as vm:
        assert vm.run(guest(tmp_path, leave(9)), timeout=300).status == 9


def test_guests_that_cannot_boot(vm: VirtualMachine, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no ELF")
    for bad, sentence in (
        (tmp_path / "text", "is not an ELF file"),
        (tmp_path / "none", "No such file"),
        (tmp_path, "not a regular file"),
        (Elf(elf_class=1).write(tmp_path / "i386"), "64-bit"),
        ("no-such-guest", "no such guest"),
    ):
        with pytest.raises(UsageError, match=sentence):
            vm.run(bad)


def test_bad_arguments_of_a_run(vm: VirtualMachine, tmp_path: Path) -> None:
    path = guest(tmp_path, leave(0))
    events: Any = [INSTRUCTIONS] * 65
    with pytest.raises(UsageError, match="NUL"):
        vm.run(path, ["a\0b"])
    with pytest.raises(UsageError, match="at most 64 events"):
        vm.run(path, events=events)
    with pytest.raises(UsageError, match="RAM is too small"):
        vm.run(path, ["x" * MIB])


def _ended(reason: str, error: int = 0, text: str = "") -> Ended:
    return Ended(reason, 0, -1, error, text, (), {}, {}, 0.0)


def test_host_errors_have_their_types() -> None:
    assert type(_end_error(_ended("host_error", errno.ENOMEM))) is OutOfMemory
    assert type(_end_error(_ended("host_error", errno.EIO))) is HostError
    assert type(_end_error(_ended("engine_error"))) is HostError


def test_shared_memory_that_cannot_be_had(vm: VirtualMachine, tmp_path: Path) -> None:
    path = guest(tmp_path, leave(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB // 2, hard))
    try:
        with pytest.raises(OutOfMemory, match="shared memory"):
            vm.run(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    path = guest(tmp_path, leave(11))
    script.write_text(
        "import sys\nfrom emulator import VirtualMachine\n"
        "with VirtualMachine(memory=1 << 20) as vm:\n"
        f"    sys.exit(vm.run({str(path)!r}).status)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (11, b"", b"")


@pytest.mark.parametrize("smp", [1, 3])
def test_no_clock_counts_more_than_what_elapsed(smp: int) -> None:
    events = parse_events("cpu-clock,task-clock")
    with VirtualMachine(smp=smp) as vm:
        for _ in range(3):
            result = vm.run("hello", ["lines=3"], events=events)
            assert all(0 < (count.value or 0) <= result.elapsed_s * 1e9 + 1 for count in result.counts)
