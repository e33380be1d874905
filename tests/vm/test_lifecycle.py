# SPDX-License-Identifier: GPL-2.0-only
"""Whoever dies, whenever: no hang, a clear error, and neither a process nor a segment is left."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import failing_host
import pytest
from processes import MARK, children, marked, segments, wait_gone
from tiny_guest import SPIN, count_down, guest, leave, say

from emulator import VirtualMachine
from emulator.errors import HostDied, HostError, VcpuDied
from emulator.native import load_core
from emulator.vm.process import fork

VCPUS = 3
QUICK_RUNS, RUNS, ALL_RUNS = 20, 100, 200
HANG_SECONDS = 60

# No `if __name__ == "__main__"`: a user's script needs none.
FRONT_END = """
import signal, sys
from emulator.errors import PvperfError
from emulator import VirtualMachine

vm = VirtualMachine(smp=int(sys.argv[2]), memory=1 << 20)
if "stop-on-sigterm" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: vm.stop())
with vm:
    try:
        print(vm.run(sys.argv[1], console=lambda data: print("console", flush=True)).ended)
    except PvperfError as error:
        print(type(error).__name__, error)
    except KeyboardInterrupt:
        print("KeyboardInterrupt")
"""


@dataclass
class FrontEnd:
    """A front end in a process of its own, and how to recognise what belongs to it."""

    process: subprocess.Popen[str]
    mark: str

    def wait(self) -> tuple[str, int]:
        """Its output and exit status; fails if it hangs."""
        output, _ = self.process.communicate(timeout=HANG_SECONDS)
        return output, self.process.returncode

    def wait_for_console(self) -> None:
        """Until the guest runs."""
        assert self.process.stdout
        assert self.process.stdout.readline() == "console\n"

    def leftovers(self) -> tuple[list[int], list[str]]:
        """Processes that do not go away, and segments."""
        pids = marked(self.mark)
        wait_gone(pids, HANG_SECONDS)
        return marked(self.mark), segments(self.process.pid)


@contextmanager
def front_end(path: Path, *extra: str) -> Iterator[FrontEnd]:
    """Starts it; afterwards nothing of it may be left."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-c", FRONT_END, str(path), str(VCPUS), *extra],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # an interpreter killed in mid-start may complain
        text=True,
        env={**os.environ, MARK: mark, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        start_new_session=True,
    )
    front = FrontEnd(process, mark)
    try:
        yield front
        assert front.leftovers() == ([], [])
    finally:
        for pid in marked(mark):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def find(front: FrontEnd, target: str) -> int | None:
    """The pid of "front", "host" or "vcpuK" as soon as it exists; None if the run is over before."""
    if target == "front":
        return front.process.pid
    while front.process.poll() is None:
        for host in children(front.process.pid)[:1]:
            if target == "host":
                return host
            vcpus = children(host)
            if len(vcpus) > int(target[4:]):
                return vcpus[int(target[4:])]
    return None


def kill(pid: int | None) -> None:
    if pid is not None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


KILLS = [
    *range(QUICK_RUNS),
    *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(QUICK_RUNS, RUNS)),
    *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(RUNS, ALL_RUNS)),
]


@pytest.mark.parametrize("seed", KILLS)
def test_a_kill_at_a_random_moment(tmp_path: Path, seed: int) -> None:
    choice = random.Random(seed)
    target = choice.choice(["front", "host", *(f"vcpu{index}" for index in range(VCPUS))])
    # A guest that would run for ever, or one that ends by itself about when the kill comes.
    code = SPIN if choice.random() < 0.6 else count_down(choice.randrange(1, 10_000_000)) + say(b".") + leave(0)
    delay = choice.uniform(0, 0.15 if target == "front" else 0.1)
    with front_end(guest(tmp_path, code)) as front:
        pid = find(front, target)
        time.sleep(delay)  # the moment of the kill is the input of this test
        kill(pid)
        if code == SPIN and pid is None:
            pytest.fail(f"{target} never came to be")
        output, status = front.wait()
    outcome = output.replace("console\n", "").split(" ")[0].strip()
    if target == "front":
        assert status in (-signal.SIGKILL, 0)
    else:
        assert status == 0, output
        error = "HostDied" if target == "host" else "VcpuDied"
        assert outcome == error or (code != SPIN and outcome == "exit"), output


@pytest.mark.parametrize(("target", "error"), [("host", "HostDied"), ("vcpu1", "VcpuDied vCPU 1")])
def test_a_death_is_told_within_a_second(tmp_path: Path, target: str, error: str) -> None:
    """Some time or other: on a machine that is busy, the front end waits for its turn for longer than that."""
    took = []
    while not took or (took[-1] >= 1 and len(took) < 10):
        with front_end(guest(tmp_path, say(b".") + SPIN)) as front:
            front.wait_for_console()
            pid = find(front, target)
            killed_at = time.monotonic()
            kill(pid)
            output, _ = front.wait()
            took.append(time.monotonic() - killed_at)
        assert f"{error} " in output.splitlines()[-1] + " "
        assert "was killed by SIGKILL" in output
    assert took[-1] < 1, took


@pytest.mark.parametrize("target", ["front", "host", "vcpu0"])
def test_whoever_stands_still_can_be_killed(tmp_path: Path, target: str) -> None:
    with front_end(guest(tmp_path, say(b".") + SPIN)) as front:
        front.wait_for_console()
        host = find(front, "host")
        pids = [front.process.pid, host, *(find(front, f"vcpu{index}") for index in range(VCPUS))]
        for pid in pids[1:]:
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
        kill(find(front, target))
        if target == "vcpu0":
            assert host is not None
            os.kill(host, signal.SIGCONT)
        front.wait()


@pytest.mark.timeout(30)
def test_who_stands_still_does_not_delay_a_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has only just been started, on a machine that is busy, is such a vCPU."""
    monkeypatch.setattr("emulator.vm.session.HostProcess", failing_host.WaitsForEver)

    def stop_one_and_kill_one(_: bytes) -> None:
        os.kill(vm.processes["vcpu1"], signal.SIGSTOP)
        kill(vm.processes["vcpu0"])

    with VirtualMachine(smp=2, memory=1 << 20) as vm, pytest.raises(VcpuDied, match="was killed by SIGKILL"):
        vm.run(guest(tmp_path, say(b".") + SPIN), console=stop_one_and_kill_one)


def test_ctrl_c_raises_and_leaves_nothing(tmp_path: Path) -> None:
    with front_end(guest(tmp_path, say(b".") + SPIN)) as front:
        front.wait_for_console()
        os.killpg(front.process.pid, signal.SIGINT)  # to the whole foreground group, as a terminal does
        output, status = front.wait()
    assert (output.splitlines()[-1], status) == ("KeyboardInterrupt", 0)


@pytest.mark.parametrize("delay_ms", range(0, 120, 8))
def test_ctrl_c_at_any_moment_of_the_start(tmp_path: Path, delay_ms: int) -> None:
    with front_end(guest(tmp_path, SPIN)) as front:
        time.sleep(delay_ms / 1000)  # the moment is the input of this test
        os.killpg(front.process.pid, signal.SIGINT)
        output, status = front.wait()
    assert output.strip() == "KeyboardInterrupt" or status == -signal.SIGINT or status == 1


def test_sigterm_with_a_handler_is_an_orderly_end(tmp_path: Path) -> None:
    with front_end(guest(tmp_path, say(b".") + SPIN), "stop-on-sigterm") as front:
        front.wait_for_console()
        front.process.terminate()
        output, status = front.wait()
    assert (output.splitlines()[-1], status) == ("stopped", 0)


def test_sigterm_without_a_handler_ends_all(tmp_path: Path) -> None:
    with front_end(guest(tmp_path, say(b".") + SPIN)) as front:
        front.wait_for_console()
        front.process.terminate()
        _, status = front.wait()
    assert status == -signal.SIGTERM


def test_sigterm_to_the_host_is_an_orderly_end(tmp_path: Path) -> None:
    with front_end(guest(tmp_path, say(b".") + SPIN)) as front:
        front.wait_for_console()
        host = find(front, "host")
        assert host is not None
        os.kill(host, signal.SIGTERM)
        output, status = front.wait()
    assert (output.splitlines()[-1], status) == ("stopped", 0)


def test_the_segment_has_no_name_while_the_guest_runs(tmp_path: Path) -> None:
    with front_end(guest(tmp_path, say(b".") + SPIN)) as front:
        front.wait_for_console()
        assert segments(front.process.pid) == []
        host = find(front, "host")
        maps = Path(f"/proc/{host}/maps").read_text()
        assert f"/dev/shm/pvperf-{front.process.pid}-" in maps
        front.process.kill()
        front.wait()


def test_a_host_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.vm.session.HostProcess", failing_host.NeverAnswers)
    monkeypatch.setattr("emulator.vm.session._FINISH_SECONDS", 0.1)
    monkeypatch.setattr("emulator.vm.session._KILL_SECONDS", 0.1)
    with VirtualMachine(memory=1 << 20) as vm:
        asking = threading.Timer(0.5, vm.stop)
        asking.start()
        with pytest.raises(HostError, match="does not answer"):
            vm.run(guest(tmp_path, leave(0)))
        asking.join()


@pytest.mark.parametrize("way", ["killed-while-named", "leaves", "never-answers"])
def test_a_host_that_fails_in_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr("emulator.vm.session.HostProcess", failing_host.FAILURES[way])
    monkeypatch.setattr("emulator.vm.session._BOOT_SECONDS", 1.0)
    monkeypatch.setattr("emulator.vm.session._BOOT_SECONDS_PER_VCPU", 0.0)
    expected = {
        "killed-while-named": (HostDied, "was killed by SIGKILL"),
        "leaves": (HostDied, "left with exit status 3"),
        "never-answers": (HostError, "does not get to its guest's first instruction"),
    }
    error, sentence = expected[way]
    with VirtualMachine(memory=1 << 20) as vm, pytest.raises(error, match=sentence):
        vm.run(guest(tmp_path, leave(0)), timeout=2 if way == "never-answers" else None)
    assert segments(os.getpid()) == []
    assert children(os.getpid()) == []


def test_a_child_that_died_before_the_next_is_started_can_be_watched() -> None:
    first, first_gone = fork(os._exit, (3,))
    poller = select.poll()
    poller.register(first_gone, select.POLLIN)
    assert poller.poll(HANG_SECONDS * 1000)
    second, second_gone = fork(os._exit, (4,))  # this reaps the first
    assert poller.poll(0)
    second.join()
    assert (first.exitcode, second.exitcode) == (3, 4)
    for process, descriptor in ((first, first_gone), (second, second_gone)):
        process.close()
        os.close(descriptor)


def test_ignored_child_signals_change_nothing(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with VirtualMachine(memory=1 << 20) as vm:
            assert vm.run(guest(tmp_path, leave(5))).status == 5

            def kill_vcpu(_: bytes) -> None:
                kill(vm.processes["vcpu0"])

            with pytest.raises(VcpuDied, match="was killed by SIGKILL"):
                vm.run(guest(tmp_path, say(b".") + SPIN), console=kill_vcpu)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert children(os.getpid()) == []


def test_processes_bear_their_names(tmp_path: Path) -> None:
    with front_end(guest(tmp_path, say(b".") + SPIN)) as front:
        front.wait_for_console()
        pids = [find(front, target) for target in ("host", "vcpu0", "vcpu1", "vcpu2")]
        names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids]
        front.process.kill()
        front.wait()
    assert names == ["pvperf:host", "pvperf:vcpu0", "pvperf:vcpu1", "pvperf:vcpu2"]


@dataclass
class Mapping:
    """A line of /proc/PID/maps."""

    first: int
    behind: int
    access: str
    offset: int


def shared_memory(pid: int) -> list[Mapping]:
    """What a process has of its VM's segment."""
    mappings = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if "/pvperf-" in line:
            span, access, offset, *_ = line.split()
            first, behind = (int(at, 16) for at in span.split("-"))
            mappings.append(Mapping(first, behind, access, int(offset, 16)))
    return mappings


@contextmanager
def running(path: Path, vm: VirtualMachine, ended: list[str]) -> Iterator[None]:
    """A VM while its guest, which says something first, runs for ever; then it is stopped."""
    says = threading.Event()
    run = threading.Thread(target=lambda: ended.append(vm.run(str(path), console=lambda _: says.set()).ended))
    run.start()
    try:
        assert says.wait(HANG_SECONDS)
        yield
    finally:
        vm.stop()
        run.join()


def test_a_vcpu_process_has_what_it_may_touch(tmp_path: Path) -> None:
    """The VM page to read, its own run page, RAM; nothing of the other vCPUs, and no way to map it again."""
    ended: list[str] = []
    memory = 1 << 20
    with VirtualMachine(smp=VCPUS, memory=memory) as vm, running(guest(tmp_path, say(b"x") + SPIN), vm, ended):
        for index in range(VCPUS):
            pid = vm.processes[f"vcpu{index}"]
            readable, *writable = shared_memory(pid)
            assert (readable.access, readable.offset, readable.behind - readable.first) == ("r--s", 0, 4096)
            pages = {at for m in writable for at in range(m.offset, m.offset + m.behind - m.first, 4096)}
            ram = (1 + VCPUS) * 4096
            assert pages == {(1 + index) * 4096, *range(ram, ram + memory, 4096)}
            assert not any("/pvperf-" in os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir())
    assert ended == ["stopped"]


def test_what_a_vcpu_process_claims_of_the_oracle_is_not_told_without_one(tmp_path: Path) -> None:
    """Nor is its text, whatever it says to a terminal."""
    ended: list[str] = []
    ffi = load_core().ffi
    with VirtualMachine(smp=1, memory=1 << 20) as vm, running(guest(tmp_path, say(b"x") + SPIN), vm, ended):
        pid = vm.processes["vcpu0"]
        run_page = next(m.first for m in shared_memory(pid) if m.access == "rw-s")
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as mapped:
            for field, data in (("oracle_differences", b"\x07" * 8), ("text", b"\x1b[2J\n\0")):
                mapped.seek(run_page + ffi.offsetof("struct pv_run", field))
                mapped.write(data)
    assert ended == ["stopped"]
