# SPDX-License-Identifier: GPL-2.0-only
"""The options of all commands that boot a guest."""

from __future__ import annotations

import argparse

from emulator.cli.options.quantity import duration, positive, size, whole

_EXIT_STATUS = """\
exit status: the guest's own; 2 usage; 123 the guest cannot go on (all its vCPUs are halted, a triple
fault, it left RAM); 124 time-out; 125 host error; 126 not supported here; that of a signal, if one ended
the run. What follows -- is the guest's command line."""


def add_machine(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXIT_STATUS
    parser.add_argument("guest", nargs="?", metavar="GUEST", help="a bundled guest's name, or an ELF file")
    machine = parser.add_argument_group("the VM")
    add = machine.add_argument
    add("--smp", type=whole, metavar="N", help="vCPUs, 1 to 64 (default 1)")
    add("-m", "--memory", type=size, metavar="SIZE", help="guest RAM: 64M, 1G; a bare number is MiB (default 64M)")
    add("--accel", metavar="NAME", help="what executes the guest (default tcg)")
    add("--design", metavar="NAME", help="per-vm, posted, no-refcount, per-vcpu (default per-vm)")
    add(
        "--nmi",
        metavar="NAME",
        help="what an NMI does that finds the lock taken: trylock, deferred, lockless (default trylock)",
    )
    add("--sync", metavar="NAME", help="when overflows reach guest memory: entry, every-exit (default entry)")
    add("--max-events", type=whole, metavar="N", help="open events at most (default 1024)")
    add("--counters", type=whole, metavar="N", help="hardware counters per vCPU (default 8)")
    add("--cycles", metavar="NAME", help="where cycles come from: model or tsc (default model)")
    add("--hold-us", type=whole, metavar="N", help="a sync holds the lock N microseconds longer (default 0)")
    add(
        "--max-sample-rate",
        type=whole,
        metavar="N",
        help="NMIs a second for an event, and for a vCPU's clocks together; 0: any (default 200000)",
    )
    add(
        "--fault", metavar="NAME=PERCENT%", help="inject faults: trylock, guest-write, alloc, delay; more behind commas"
    )
    add("--seed", type=whole, metavar="N", help="of the faults (default 0)")
    add("--l1d", metavar="SIZE/WAYS/LINE", help="the L1 data cache that is modelled (default 32K/8/64)")
    add("--llc", metavar="SIZE/WAYS/LINE", help="the last-level cache that is modelled (default 1M/16/64)")
    add("--predictor", metavar="NAME:BITS", help="the branch predictor that is modelled (default gshare:12)")
    add(
        "--pin",
        metavar="WHEN",
        help="a vCPU and its host thread on one core: on, off, or auto, where that is faster (default)",
    )
    add("--no-pv-perf", action="store_false", dest="pv_perf", default=None, help="do not offer the interface")
    add("--oracle", action="store_true", default=None, help="compare with a single-stepping oracle; slow")
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--timeout", type=duration, metavar="TIME", help="end the VM 10s, 500ms, 2m after its guest was entered"
    )
    run.add_argument(
        "--trace", metavar="FILE", help="what the VM does, for ui.perfetto.dev; an old one becomes FILE.old"
    )
    run.add_argument(
        "--trace-records", type=positive, metavar="N", help="keep the first N things that happen (default 1000000)"
    )
    run.add_argument("-v", "--verbose", action="store_true", help="also print what the VM did, to stderr")
    run.add_argument("-q", "--quiet", action="store_true", help="do not print what the guest writes")
