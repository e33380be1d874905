# SPDX-License-Identifier: GPL-2.0-only
"""The options of all commands that boot a guest. Those that matter first are the command's own, and come before."""

from __future__ import annotations

from emulator.terminal.parser import Parser
from emulator.terminal.quantity import duration, positive, size, whole

STATUSES = [
    ("N", "the guest's own"),
    ("2", "usage"),
    ("123", "the guest cannot go on (all its vCPUs are halted, a triple fault, it left RAM, its kernel panicked)"),
    ("124", "time-out"),
    ("125", "host error"),
    ("126", "not supported here"),
    ("128+N", "signal N ended the run, as a shell has it"),
]


def add_first(parser: Parser) -> None:
    """The guest, and what is asked for of it most often."""
    parser.usage = "%(prog)s [OPTION...] GUEST [-- ARGUMENT...]"
    parser.statuses = STATUSES
    parser.add_argument(
        "guest",
        nargs="?",
        metavar="GUEST",
        help="a bundled guest's name (see pvperf guests), an ELF file or a Linux kernel; behind --: its command line",
    )
    add_usual(parser)


def add_usual(parser: Parser) -> None:
    """What is asked for most often."""
    add = parser.add_argument
    add("--smp", type=whole, metavar="N", help="vCPUs, 1 to 64 (default 1)")
    add("--timeout", type=duration, metavar="TIME", help="end the VM 10s, 500ms, 2m after its guest was entered")
    add("-q", "--quiet", action="store_true", help="do not print what the guest writes")
    add("-v", "--verbose", action="store_true", help="also print what the VM did, to stderr")


def add_rest(parser: Parser, *, append: bool = True) -> None:
    """The machine, the interface, and what goes wrong on purpose. Without `append`, that option is another one's."""
    _add_linux(parser, append=append)
    _add_machine(parser)
    _add_interface(parser)
    _add_models(parser)
    add = parser.add_argument_group("faults").add_argument
    add(
        "--fault", metavar="NAME=PERCENT%", help="inject faults: trylock, guest-write, alloc, delay; more behind commas"
    )
    add("--seed", type=whole, metavar="N", help="of the faults (default 0)")
    add = parser.add_argument_group("a trace").add_argument
    add("--trace", metavar="FILE", help="what the VM does, for ui.perfetto.dev; an old one becomes FILE.old")
    add("--trace-records", type=positive, metavar="N", help="keep the first N things that happen (default 1000000)")


def _add_linux(parser: Parser, *, append: bool) -> None:
    add = parser.add_argument_group("Linux").add_argument
    add(
        "--initrd",
        action="append",
        default=[],
        metavar="FILE",
        help="its first file system: a cpio archive; repeatable",
    )
    names = ("--append", "--cmdline") if append else ("--cmdline",)
    add(
        *names,
        dest="kernel_append",
        default="",
        metavar="TEXT",
        help="options of the kernel, behind those that -v shows; what follows -- goes to its first program",
    )


def _add_machine(parser: Parser) -> None:
    add = parser.add_argument_group("the machine").add_argument
    add(
        "-m",
        "--memory",
        type=size,
        metavar="SIZE",
        help="guest RAM: 64M, 1G; a bare number is MiB (default 64M; of Linux, 512M)",
    )
    add("--accel", metavar="NAME", help="what executes the guest (default tcg)")
    add(
        "--cpu",
        metavar="NAME",
        help="the guest's processor: x86-64, x86-64-v2, x86-64-v3, max: what the host has, or default, without AVX",
    )
    add(
        "--pin",
        metavar="WHEN",
        help="a vCPU and its host thread on one core: on, off, or auto, where that is faster (default)",
    )
    add("--oracle", action="store_true", default=None, help="compare with a single-stepping oracle; slow")


def _add_interface(parser: Parser) -> None:
    add = parser.add_argument_group("the interface").add_argument
    add("--design", metavar="NAME", help="per-vm, posted, no-refcount, per-vcpu (default per-vm)")
    add(
        "--nmi",
        metavar="NAME",
        help="what an NMI does that finds the lock taken: trylock, deferred, lockless (default trylock)",
    )
    add("--sync", metavar="NAME", help="when overflows reach guest memory: entry, every-exit (default entry)")
    add("--hold-us", type=whole, metavar="N", help="a sync holds the lock N microseconds longer (default 0)")
    add("--max-events", type=whole, metavar="N", help="open events at most (default 1024)")
    add(
        "--max-sample-rate",
        type=whole,
        metavar="N",
        help="NMIs a second for an event, and for a vCPU's clocks together; 0: any (default 200000)",
    )
    add("--no-pv-perf", action="store_false", dest="pv_perf", default=None, help="do not offer the interface")


def _add_models(parser: Parser) -> None:
    add = parser.add_argument_group("the PMU, and what it models").add_argument
    add("--counters", type=whole, metavar="N", help="hardware counters per vCPU (default 8)")
    add("--cycles", metavar="NAME", help="where cycles come from: model or tsc (default model)")
    add("--l1d", metavar="SIZE/WAYS/LINE", help="the L1 data cache (default 32K/8/64)")
    add("--llc", metavar="SIZE/WAYS/LINE", help="the last-level cache (default 1M/16/64)")
    add("--predictor", metavar="NAME:BITS", help="the branch predictor (default gshare:12)")
