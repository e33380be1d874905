# SPDX-License-Identifier: GPL-2.0-only
"""Round trips of KVM_PERF_OP, against what handing a CPU over costs at least, and what one would write by hand.

PVPERF_BENCH_SLOWER=5 makes each READ that is compared with peers 5 % slower, by a loop in the guest beside it: a
made-up regression, with which `bench compare` can be tried.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from emulator.bench.measuring.case import Case, Contender, Effort, Group, Plot, Ratio, single
from emulator.bench.measuring.vm import cores, count_vcpus, printed_figures, run_guest, tsc_hz
from emulator.bench.peers import peer
from emulator.errors import UsageError

OPS = ("open", "enable", "read", "disable", "close")
_EVENTS = (1, 16, 128, 1024)
_FEW, _MANY = 1_000, 100_000  # that are open and enabled at once
_OF_MANY = ("open", "enable", "exit", "read", "disable", "close")
_VCPUS = (1, 2, 4, 8, 16)
_CALIBRATION_TURNS = 20_000


def groups(effort: Effort) -> Iterator[Group]:
    """READ against its peers, on one core and on two; operations against events and vCPUs; what --pin makes of it."""
    yield _against_peers("one core", True, effort)
    if cores().number > 1:
        yield _against_peers("two cores", False, effort)
    yield _by_events(effort)
    yield _many(effort)
    yield _by_vcpus(effort)
    if cores().number > 1:
        yield _by_pinning(effort)


def _against_peers(where: str, shared: bool, effort: Effort) -> Group:
    reads, few = effort.pick(50_000, 10_000), effort.pick(5_000, 1_000)
    limit = "futex ping-pong" if shared else "spinning ping-pong"
    contenders = [
        single(Case(name="READ", unit="us", reference=limit), read(shared, reads)),
        single(Case(name="exit that asks for nothing", unit="us", reference=limit), exit_alone(shared, reads)),
        single(Case(name="futex ping-pong", unit="us", peer=True), peer.futex(shared, reads if shared else few)),
        single(Case(name="multiprocessing.Pipe", unit="us", peer=True), peer.pipe(shared, few)),
        single(Case(name="posix_ipc.MessageQueue", unit="us", peer=True), peer.message_queue(shared, few)),
    ]
    ratios = [Ratio("READ / futex ping-pong", "READ", "futex ping-pong", "<= 1.5")]
    if shared:
        contenders += _kernels_own(reads)
        ratios.append(Ratio("real KVM exit / READ", "real KVM exit", "READ"))
    else:
        spinning = Case(name="spinning ping-pong", unit="us", peer=True)
        contenders.append(single(spinning, peer.futex(shared, reads, spin_ns=peer.SPIN_NS)))
        ratios.append(Ratio("READ / spinning ping-pong", "READ", "spinning ping-pong"))
    # Where a READ goes: the hand-over itself, then the engine and the host's way in and out, then the event table.
    ratios.append(Ratio(f"{limit} / exit that asks for nothing", limit, "exit that asks for nothing"))
    ratios.append(Ratio("exit that asks for nothing / READ", "exit that asks for nothing", "READ"))
    # On one core the two context switches are most of either: the factor cannot be reached there.
    ratios.append(Ratio("Pipe / READ", "multiprocessing.Pipe", "READ", "" if shared else ">= 10"))
    ratios.append(Ratio("MessageQueue / READ", "posix_ipc.MessageQueue", "READ"))
    title = f"READ, host and vCPU on {where}"
    return Group(
        name=f"hypercall, {where}", about=title, contenders=contenders, ratios=ratios, plots=[Plot(title=title)]
    )


def _kernels_own(calls: int) -> list[Contender]:
    """They have no two sides, and so no second core."""
    names = {"ENABLE": "ioctl ENABLE", "DISABLE": "ioctl DISABLE", "READ": "read"}
    events = [
        single(Case(name=f"perf_event {name}", unit="us", peer=True), peer.perf_event(call, calls))
        for call, name in names.items()
    ]
    return [*events, single(Case(name="real KVM exit", unit="us", peer=True), peer.kvm_exit(calls))]


def read(shared: bool, calls: int) -> Callable[[], float]:
    """Microseconds that a READ takes a guest: the whole way out, through the event table, and back."""

    return lambda: _one_kind("read", shared, calls, _burn_turns(shared))


def exit_alone(shared: bool, calls: int) -> Callable[[], float]:
    """Microseconds of a hypercall that the host refuses: the way out, and back."""
    return lambda: _one_kind("nothing", shared, calls)


def _one_kind(only: str, shared: bool, calls: int, burn: int = 0) -> float:
    """Microseconds of a call in the loop that does nothing else."""
    args = [f"only={only}", f"calls={calls}", f"burn={burn}"]
    (line,) = printed_figures(run_guest("ops", args, pin="on" if shared else "off"))
    return _microseconds(line)


def _microseconds(line: dict[str, str]) -> float:
    """Of one call, from a line of the guest `ops`."""
    return int(line["ticks"]) / int(line["calls"]) / tsc_hz() * 1e6


def _by_events(effort: Effort) -> Group:
    contenders = []
    for events in _EVENTS[:: effort.pick(1, 3)]:
        cases = tuple(_op_case(op, {"open events": events}, f"{events} open") for op in OPS)
        contenders.append(Contender(cases, _lives(effort.pick(2000, 500), f"events={events}", smp=1, pin="on")))
    plot = Plot(title="Each operation against open events", x="open events", series="op", log_x=True)
    about = "each operation on one vCPU, by the number of open events"
    return Group(name="hypercall, by events", about=about, contenders=contenders, plots=[plot])


def _many(effort: Effort) -> Group:
    """Few events against many, all of them open and enabled: no operation may care."""
    contenders, ratios = [], []
    for kind in ("software", "group") if effort.quick else ("software", "hardware", "clock", "group"):
        for events in (_FEW, _MANY):
            cases = tuple(
                _op_case(op, {"events": events, "kind": kind}, f"{kind}, {events:,} at once") for op in _OF_MANY
            )
            contenders.append(Contender(cases, _of_many(kind, events)))
        for op in _OF_MANY:
            few, many = (f"{op.upper()}, {kind}, {events:,} at once" for events in (_FEW, _MANY))
            whole = kind == "group" and op in ("enable", "disable")  # one call, which does each member in turn
            name = f"{op.upper()}, {kind}: {_MANY:,} events / {_FEW:,}"
            ratios.append(Ratio(name, many, few, "" if whole else "<= 2"))
    about = f"each operation where {_FEW:,} and where {_MANY:,} events are open and enabled on one vCPU"
    return Group(name="hypercall, many events", about=about, contenders=contenders, ratios=ratios)


def _of_many(kind: str, events: int) -> Callable[[], list[float]]:
    """Microseconds of each operation, in the order of _OF_MANY; a group's, by its members."""

    def once() -> list[float]:
        args = [f"events={events}", f"kind={kind}"]
        lines = printed_figures(run_guest("many", args, max_events=events, pin="on"))
        assert [line["op"] for line in lines] == list(_OF_MANY)
        return [_microseconds(line) for line in lines]

    return once


def _by_vcpus(effort: Effort) -> Group:
    contenders, plots = [], []
    for same in (0, 1):
        which = "the same event" if same else "different events"
        ops = OPS[1:4] if same else OPS
        for vcpus in _VCPUS[:: effort.pick(1, 4)]:
            labels: dict[str, str | int] = {"vCPUs": vcpus, "which": which}
            cases = tuple(_op_case(op, labels, f"{count_vcpus(vcpus)}, {which}") for op in ops)
            calls = effort.pick(2000, 400) // vcpus + 50
            contenders.append(Contender(cases, _lives(calls, f"same={same}", smp=vcpus)))
        title = f"Each operation against vCPUs that do the same at once, {which}"
        plots.append(Plot(title=title, x="vCPUs", series="op", where={"which": which}, log_x=True, log_y=True))
    about = "each operation, by the number of vCPUs that do the same at once"
    return Group(name="hypercall, by vCPUs", about=about, contenders=contenders, plots=plots)


def _by_pinning(effort: Effort) -> Group:
    reads = effort.pick(50_000, 10_000)
    contenders = [
        single(Case(name=f"READ, --pin {when}", unit="us"), lambda when=when: _pinned(when, reads))  # type: ignore[misc]
        for when in ("on", "off", "auto")
    ]
    ratios = [Ratio(f"auto / {when}", "READ, --pin auto", f"READ, --pin {when}") for when in ("on", "off")]
    title = "READ on one vCPU, by --pin"
    return Group(
        name="hypercall, pinning", about=title, contenders=contenders, ratios=ratios, plots=[Plot(title=title)]
    )


def _pinned(when: str, calls: int) -> float:
    (line,) = printed_figures(run_guest("ops", ["only=read", f"calls={calls}"], pin=when))
    return _microseconds(line)


def _op_case(op: str, labels: dict[str, str | int], condition: str) -> Case:
    return Case(name=f"{op.upper()}, {condition}", unit="us", labels={"op": op, **labels})


def _lives(calls: int, arg: str, **config: Any) -> Callable[[], list[float]]:
    """Microseconds of each operation that the guest times, in the order of OPS; the median over the vCPUs."""

    def once() -> list[float]:
        from statistics import median

        lines = printed_figures(run_guest("ops", [f"calls={calls}", arg], **config))
        return [
            median(_microseconds(line) for line in lines if line["op"] == op)
            for op in OPS
            if any(line["op"] == op for line in lines)
        ]

    return once


@cache
def _burn_turns(shared: bool) -> int:
    """Turns of the guest's loop that make a READ as much slower as PVPERF_BENCH_SLOWER says; 0 without it."""
    percent = os.environ.get("PVPERF_BENCH_SLOWER", "")
    if not percent:
        return 0
    try:
        share = float(percent) / 100
    except ValueError:
        raise UsageError(f"PVPERF_BENCH_SLOWER is a percentage, and {percent!r} is not") from None
    bare, burnt = (_time_reads(shared, turns) for turns in (0, _CALIBRATION_TURNS))
    return round(share * bare / (burnt - bare) * _CALIBRATION_TURNS)


def _time_reads(shared: bool, turns: int) -> float:
    """The best of three: what disturbs a calibration makes it slower only."""
    return min(_one_kind("read", shared, 2000, turns) for _ in range(3))
