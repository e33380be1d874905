# SPDX-License-Identifier: GPL-2.0-only
"""The peers do what they are said to do, and an absent one is left out with its reason."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable

import pytest

from emulator.bench.measuring.case import Absent, Failed, Violated
from emulator.bench.measuring.vm import cores, tsc_hz
from emulator.bench.peers import peer, program, qemu_peer, unicorn_peer
from emulator.bench.peers.pair import against_child, pinned
from emulator.native import load_bench


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("make", [peer.futex, peer.pipe, peer.message_queue])
def test_pairs(make: Callable[[bool, int], Callable[[], float]], shared: bool) -> None:
    queues = set(os.listdir("/dev/mqueue")) if os.path.isdir("/dev/mqueue") else set()
    try:
        assert make(shared, 200)() > 0
    except Absent as reason:
        pytest.skip(str(reason))
    if os.path.isdir("/dev/mqueue"):
        assert set(os.listdir("/dev/mqueue")) <= queues


@pytest.mark.parametrize("call", ["ENABLE", "DISABLE", "READ"])
def test_the_kernels_own_events(call: str) -> None:
    try:
        assert peer.perf_event(call, 100)() > 0
    except Absent as reason:
        pytest.skip(str(reason))


def test_a_real_kvm_exit() -> None:
    try:
        assert peer.kvm_exit(100)() > 0
    except Absent as reason:
        pytest.skip(str(reason))


def test_what_the_kernel_refuses_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        class lib:
            PERF_EVENT_CALL_READ = 2
            perf_event_repeat = staticmethod(lambda _call, _n: -13)
            kvm_exit_repeat = staticmethod(lambda _n: -2)

    monkeypatch.setattr(peer, "load_bench", lambda: Refusing)
    with pytest.raises(Absent, match="perf_event_open is refused: Permission denied"):
        peer.perf_event("READ", 1)()
    with pytest.raises(Absent, match="/dev/kvm cannot be used: No such file"):
        peer.kvm_exit(1)()


def test_a_child_that_fails_is_a_failure_and_affinity_is_restored() -> None:
    before = os.sched_getaffinity(0)
    core = cores().first
    with pytest.raises(Failed, match="failed with status"):
        against_child(core, core, lambda: 1.0, lambda: os._exit(3))
    with pytest.raises(ZeroDivisionError):
        against_child(core, core, lambda: 1 / 0, lambda: time.sleep(60))
    with pinned(core):
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before


def test_bare_words() -> None:
    bench = load_bench()
    words = bench.ffi.new("uint32_t[2]")
    assert bench.lib.word_add(words, 1000) > 0
    assert words[0] == 1000
    assert bench.lib.word_exchange(words, 10) > 0
    assert words[0] == 9


def test_the_host_delivers_every_overflow() -> None:
    bench = load_bench()
    word = bench.ffi.new("uint32_t *")
    assert bench.lib.overflow_deliver(word, 1000) > 0
    assert word[0] == 1000


def test_the_clock_of_guests_ticks_at_the_rate_that_is_assumed() -> None:
    """Two looks agree, and the guest and the host see the same stretch of time."""
    assert load_bench().lib.tsc_hz(50) == pytest.approx(tsc_hz(), rel=0.001)


ITERATIONS = 2000


@pytest.fixture(scope="module")
def programs() -> program.Programs:
    return program.programs()  # the compiler that this takes is one that the project takes


@pytest.mark.parametrize("hook", ["count", "empty", "none"])
def test_the_program_as_a_guest(programs: program.Programs, hook: str) -> None:
    assert program.guest_seconds(ITERATIONS, hook=hook) > 0


@pytest.mark.parametrize("hook", ["none", "block", "instruction"])
def test_the_program_under_unicorn(programs: program.Programs, hook: str) -> None:
    assert unicorn_peer.seconds(ITERATIONS, hook) > 0


@pytest.mark.skipif(not shutil.which(qemu_peer.EXECUTABLE), reason="qemu-user is not installed")
@pytest.mark.parametrize("plugin", ["", "block", "insn"])
def test_the_program_under_qemu(programs: program.Programs, plugin: str) -> None:
    """Its plugins count, to a thousandth of an instruction an iteration, what the paravirtual interface counts."""
    try:
        assert qemu_peer.seconds(ITERATIONS, plugin) > 0
    except Absent as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", program.VECTORS)
def test_vectors_as_a_guest_and_under_qemu(name: str) -> None:
    """Each compares its result with the processor's."""
    try:
        assert program.guest_seconds(20, events="instructions", name=name) > 0
        assert qemu_peer.vector_seconds(20, name) > 0
    except Absent as reason:
        pytest.skip(str(reason))


def test_without_qemu_it_is_absent(programs: program.Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Absent, match="qemu-user"):
        qemu_peer.seconds(ITERATIONS, "")


def test_an_engine_that_does_other_work_is_found_out(programs: program.Programs) -> None:
    program.check_result(program.result_of(ITERATIONS), ITERATIONS, "it")
    with pytest.raises(Violated, match="it: program gave 0"):
        program.check_result("0", ITERATIONS, "it")
