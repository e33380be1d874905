# SPDX-License-Identifier: GPL-2.0-only
"""The options of `model`."""

from __future__ import annotations

from emulator.terminal.parser import Parser
from emulator.terminal.quantity import positive, seed, whole

_BOUNDS = {
    "vcpus": "vCPUs, 1 to 3",
    "ids": "events, 1 to 3, each opened once",
    "ops": "hypercalls of each vCPU",
    "nmis": "NMIs in all",
    "limit": "events that may be open at a time",
    "capacity": "events that a vCPU's queue holds",
}


def add_model(parser: Parser) -> None:
    parser.examples = [
        ("pvperf model", "every state of two vCPUs, two events, two calls each"),
        ("pvperf model --design no-refcount -o race.replay", "a violation (status 1), and the core's replay of it"),
        ("pvperf model --traces 100", "does the host core do only what the model does?"),
    ]
    parser.statuses = [
        ("0", "all held"),
        ("1", "a violation"),
        ("2", "usage"),
        ("7", "too many states"),
        ("126", "Spin is not there"),
    ]
    add = parser.add_argument
    add("--design", default="per-vm", metavar="NAME", help="per-vm (default), per-vcpu or no-refcount")
    add("--nmi", default="deferred", metavar="NAME", help="deferred (default) or lockless")
    add("--traces", type=positive, metavar="N", help="hold N schedules of the host core against the model instead")
    add("--seed", type=seed, metavar="N", help="of those (default: a fresh one, which is printed)")
    add("-o", "--output", metavar="FILE", help="find the trail's violation on the host core, too: a replay file")
    add("-j", "--json", action="store_true", help="print a JSON document")
    add = parser.add_argument_group("what is modelled").add_argument
    add("--defect", metavar="NAME", help="plant one: no-reference, check-then-increment, read-modify-write, ...")
    for name, what in _BOUNDS.items():
        add(f"--{name}", type=whole, metavar="N", help=f"{what} (default {1 if name == 'capacity' else 2})")
    search = parser.add_argument_group("the search")
    by = search.add_mutually_exclusive_group()
    by.add_argument("--python", action="store_true", help="in Python (default)")
    by.add_argument("--spin", action="store_true", help="by Spin, which has to be installed, as a C compiler has")
    search.add_argument(
        "--states", type=positive, default=3_000_000, metavar="N", help="give up behind so many (default 3000000)"
    )
