# SPDX-License-Identifier: GPL-2.0-only
"""Overflow counters change hands by atomic exchange and addition: in a guest, against the bare instructions."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator

from emulator.bench.measuring.case import Case, Contender, Effort, Group, Plot, Ratio, single
from emulator.bench.measuring.vm import cores, printed_figures, run_guest, tsc_hz
from emulator.bench.peers.pair import against_child, pinned
from emulator.native import load_bench

_TOGETHER = {False: "alone", True: "contended"}
_NAMES = {"exchange": "xchg", "add": "xadd"}


def groups(effort: Effort) -> Iterator[Group]:
    """Alone on the word, and with another vCPU, or process, on another core at the same word."""
    contenders: list[Contender] = []
    ratios = []
    ms, n = effort.pick(100, 30), effort.pick(1_000_000, 300_000)
    for contended in (False, True) if cores().number > 1 else (False,):
        for work, instruction in _NAMES.items():
            how = _TOGETHER[contended]
            bare, guest = f"bare {instruction}, {how}", f"guest {instruction}, {how}"
            contenders.append(single(Case(name=guest, unit="ns", reference=bare), _in_guest(work, contended, ms)))
            contenders.append(single(Case(name=bare, unit="ns", peer=True), _bare(f"word_{work}", work, contended, n)))
            ratios.append(Ratio(f"guest / bare {instruction}, {how}", guest, bare))
        core, bare = f"host delivers an overflow, {how}", f"bare xadd, {how}"
        contenders.append(
            single(Case(name=core, unit="ns", reference=bare), _bare("overflow_deliver", "exchange", contended, n))
        )
        ratios.append(Ratio(f"host delivers / bare xadd, {how}", core, bare))
    core, bare = "host exchanges and adds", "bare xchg and xadd"
    contenders.append(single(Case(name=core, unit="ns", reference=bare), _bare("overflow_hand_over", "add", False, n)))
    contenders.append(single(Case(name=bare, unit="ns", peer=True), _bare("word_hand_over", "add", False, n)))
    ratios.append(Ratio("host exchanges and adds / bare xchg and xadd", core, bare, "<= 2"))
    about = "an atomic exchange, and an addition, of a 32-bit word that vCPU processes share"
    yield Group(
        name="handover", about=about, contenders=contenders, ratios=ratios, plots=[Plot(title="Handover", log_x=True)]
    )


def _in_guest(work: str, contended: bool, ms: int) -> Callable[[], float]:
    """Nanoseconds of one operation on a vCPU, also when two do it."""

    def once() -> float:
        vcpus = 2 if contended else 1
        args = [f"work={work}", "same=1", f"ticks={int(tsc_hz() * ms * 1e-3)}"]
        lines = printed_figures(run_guest("share", args, smp=vcpus))
        done = sum(int(line["done"]) for line in lines)
        return sum(int(line["ticks"]) for line in lines) / done / tsc_hz() * 1e9

    return once


def _bare(work: str, other: str, contended: bool, n: int) -> Callable[[], float]:
    """Nanoseconds of one repetition of `work`, a function of peer.h; contended, while another process does `other`."""

    def once() -> float:
        bench = load_bench()
        run = getattr(bench.lib, work)
        until = getattr(bench.lib, f"word_{other}_until")
        with mmap.mmap(-1, mmap.PAGESIZE) as memory:
            words = bench.ffi.from_buffer("uint32_t[]", memory, require_writable=True)
            word, stop = words, words + 64

            def play() -> float:
                took = float(run(word, n))
                stop[0] = 1
                return took

            try:
                if contended:
                    took = against_child(cores().first, cores().last, play, lambda: until(word, stop))
                else:
                    with pinned(cores().first):
                        took = float(run(word, n))
            finally:
                bench.ffi.release(words)
        return took / n

    return once
