# SPDX-License-Identifier: GPL-2.0-only
"""Guest speed while counting: against the engine's own limits, by what is counted, and against other emulators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from emulator.bench.measuring.case import Absent, Case, Contender, Effort, Group, Plot, Ratio, single
from emulator.bench.measuring.vm import run_guest
from emulator.bench.peers import program, qemu_peer, unicorn_peer

#: With what makes them long enough to say something of speed. Not: those that live on overflows and NMIs, which nobody
#: has who does not count.
GUESTS = {
    "spin": "",
    "matmul": "",
    "memwalk": "",
    "branchy": "",
    "hello": "lines=2000",
    "hotspots": "",
    "user": "",
    "pingpong": "",
    "readloop": "",
    "locks": "",
}
#: The same, for a look in seconds.
_QUICK_GUESTS = {"spin": "iterations=10000000", "matmul": "rounds=6"}
_STORING = ("matmul", "branchy")
_HOOKS = ("count", "empty", "none")

#: What is counted, from nothing to more than there are counters for.
EVENT_SETS = {
    "nothing": "",
    "instructions": "instructions",
    "instructions and branches": "instructions,branches",
    "instructions, branches and cycles": "instructions,branches,cycles",
    "8 events, each with :u and :k": ",".join(
        f"{name}{level}" for name in ("instructions", "branches", "cycles", "ref-cycles") for level in (":u", ":k")
    ),
    "16 events taking turns on 8 counters": ",".join(["instructions", "branches", "cycles", "ref-cycles"] * 4),
    "branch-misses": "branch-misses",
    "cache-references and cache-misses": "cache-references,cache-misses",
    "L1-dcache-loads": "L1-dcache-loads",
}
#: Those that need a hook at every access to memory.
_SLOW_SETS = ("cache-references and cache-misses", "L1-dcache-loads")


def groups(effort: Effort) -> Iterator[Group]:
    """Guest by guest; then by what is counted; then the same code on everything that can run it."""
    for guest, args in (_QUICK_GUESTS if effort.quick else GUESTS).items():
        yield _against_hooks(guest, args.split())
    if not effort.quick:
        yield _locked()
        yield _stores()
    yield _by_events(effort)
    yield _same_code(effort)
    for name in program.VECTORS:
        yield _vectors(name, effort)


def _seconds(guest: str, args: list[str], **config: Any) -> Callable[[], float]:
    """From the guest's entry to its exit, on one vCPU."""

    def once() -> float:
        counting = config.get("hook", "count") == "count"
        events = "instructions,branches" if counting else ""
        return run_guest(guest, args, events=events, content=counting, **config).elapsed_s

    return once


def _against_hooks(guest: str, args: list[str]) -> Group:
    contenders = [
        single(Case(name=hook, unit="s", reference="none" if hook == "count" else ""), _seconds(guest, args, hook=hook))
        for hook in _HOOKS
    ]
    ratios = [
        Ratio(f"{guest}: speed against an empty block hook", "empty", "count", ">= 0.85"),
        Ratio(f"{guest}: speed against no hook", "none", "count", ">= 0.7" if guest == "matmul" else ""),
    ]
    about = f"{guest} with instructions and branches counted, with an empty block hook, and with none"
    return Group(name=f"engine, {guest}", about=about, contenders=contenders, ratios=ratios)


def _locked() -> Group:
    runs = {
        "atomic": _seconds("locks", []),
        "atomic, out of the block": _seconds("locks", [], atomics="trap"),
        "atomic, out of the block, behind 1000 other LOCK instructions": _seconds("locks", ["crowd=1"], atomics="trap"),
        "not atomic": _seconds("locks", [], atomics="none"),
    }
    contenders = [single(Case(name=name, unit="s"), run) for name, run in runs.items()]
    ratios = [Ratio(f"LOCK {name}: speed against atomic", "atomic", name) for name in runs if name != "atomic"]
    about = "a guest that is all LOCK: how that is made atomic between processes"
    return Group(name="engine, LOCK", about=about, contenders=contenders, ratios=ratios)


def _stores() -> Group:
    contenders = [
        single(Case(name=f"{guest}, {stores}", unit="s"), _seconds(guest, [], stores=stores))
        for guest in _STORING
        for stores in ("fast", "unicorn")
    ]
    ratios = [
        Ratio(f"{guest}: speed against Unicorn's stores", f"{guest}, unicorn", f"{guest}, fast") for guest in _STORING
    ]
    about = "guests that store, past Unicorn's slow way for memory that may be executed, and by it"
    return Group(name="engine, stores", about=about, contenders=contenders, ratios=ratios)


def _by_events(effort: Effort) -> Group:
    """As speed, since what hooks every access is so slow that it gets less to do."""
    contenders = []
    for name, events in EVENT_SETS.items():
        case = Case(name=name, unit="products/s", higher_is_better=True, reference="native")
        rounds = effort.pick(2, 1) if name in _SLOW_SETS else effort.pick(32, 6)
        contenders.append(single(case, _counting(rounds, events)))
    native = Case(name="native", unit="M/s", higher_is_better=True, peer=True)
    contenders.append(single(native, lambda: 30 / program.linux_seconds([], 30_000_000)))
    ratios = [Ratio(f"speed while counting {name}", name, "nothing") for name, events in EVENT_SETS.items() if events]
    about = "matrix products a second, by what is counted, against counting nothing"
    plots = [Plot(title="Guest speed by what is counted", log_x=True)]
    return Group(name="engine, by events", about=about, contenders=contenders, ratios=ratios, plots=plots)


def _counting(rounds: int, events: str) -> Callable[[], float]:
    """Matrix products a second while these events are counted; Absent if one of them is not supported."""

    def once() -> float:
        result = run_guest("matmul", [f"rounds={rounds}"], events=events)
        for count in result.counts:
            if count.error:
                raise Absent(f"{count.event.name} is refused with {count.error}")
        return rounds / result.elapsed_s

    return once


def _same_code(effort: Effort) -> Group:
    """In millions of instructions a second, all of the same program."""
    fast, slow = effort.pick(20_000_000, 3_000_000), effort.pick(100_000, 30_000)
    runs: dict[str, tuple[int, Callable[[int], float]]] = {
        "pvperf, instructions and branches counted": (
            fast,
            lambda n: program.guest_seconds(n, events="instructions,branches"),
        ),
        "pvperf, no hook": (fast, lambda n: program.guest_seconds(n, hook="none")),
        "the processor itself": (5 * fast, lambda n: program.linux_seconds([], n)),
        "Unicorn, no hook": (fast, lambda n: unicorn_peer.seconds(n, "none")),
        "Unicorn, Python hook a block": (slow, lambda n: unicorn_peer.seconds(n, "block")),
        "Unicorn, Python hook an instruction": (slow // 5, lambda n: unicorn_peer.seconds(n, "instruction")),
        "QEMU": (fast, lambda n: qemu_peer.seconds(n, "")),
        "QEMU, plugin that adds inline a block": (fast, lambda n: qemu_peer.seconds(n, "block")),
        "QEMU, plugin called an instruction": (fast // 4, lambda n: qemu_peer.seconds(n, "insn")),
    }
    ours = "pvperf, instructions and branches counted"
    contenders = [_speed(name, iterations, run) for name, (iterations, run) in runs.items()]
    ratios = [Ratio(f"pvperf counting / {name}", ours, name) for name in runs if name != ours]
    about = "the same program on everything that can run it"
    plots = [Plot(title="Speed of counting instructions and branches, against others", log_x=True)]
    return Group(name="engine, same code", about=about, contenders=contenders, ratios=ratios, plots=plots)


def _vectors(name: str, effort: Effort) -> Group:
    """A loop of AVX2 over a few KiB, in thousands of times a second."""
    few, many = effort.pick(20_000, 4_000), effort.pick(2_000_000, 400_000)
    runs: dict[str, tuple[int, Callable[[int], float]]] = {
        "pvperf, instructions and branches counted": (
            few,
            lambda n: program.guest_seconds(n, events="instructions,branches", name=name),
        ),
        "QEMU": (few, lambda n: qemu_peer.vector_seconds(n, name)),
        "the processor itself": (many, lambda n: program.linux_seconds([], n, name)),
    }
    contenders = [_loops(case, iterations, run) for case, (iterations, run) in runs.items()]
    ratio = Ratio(f"{name}: pvperf counting / QEMU", "pvperf, instructions and branches counted", "QEMU", ">= 0.5")
    about = f"{name} by AVX2, the same code on all; QEMU in user mode with -cpu max"
    return Group(name=f"engine, AVX2 {name}", about=about, contenders=contenders, ratios=[ratio])


def _loops(name: str, iterations: int, seconds: Callable[[int], float]) -> Contender:
    peer = not name.startswith("pvperf")
    case = Case(
        name=name, unit="k/s", higher_is_better=True, peer=peer, reference="the processor itself" if not peer else ""
    )
    return single(case, lambda: iterations / seconds(iterations) * 1e-3)


def _speed(name: str, iterations: int, seconds: Callable[[int], float]) -> Contender:
    def once() -> float:
        return iterations * program.instructions_per_iteration() / seconds(iterations) * 1e-6

    peer = not name.startswith("pvperf")
    reference = "" if peer else "the processor itself"
    return single(Case(name=name, unit="M insn/s", higher_is_better=True, peer=peer, reference=reference), once)
