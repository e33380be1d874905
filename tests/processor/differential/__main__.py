# SPDX-License-Identifier: GPL-2.0-only
"""`scripts/processor`: finds differences, and prints the smallest of each kind with a line that shows it again."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.guest.build import GuestBuildError
from processor.differential import known as known_kinds
from processor.differential.build import build
from processor.differential.kinds import MAPS, Difference, fields_that_differ, text_of
from processor.differential.runner import Filter, RunError, Runner
from processor.differential.search import Search, search
from processor.differential.shrink import shrink

CHUNK = 20_000
FIELDS_SHOWN = 10


def _maps(text: str) -> int:
    bits = 0
    for name in text.split(","):
        if name not in MAPS:
            raise argparse.ArgumentTypeError(f"no map {name!r}: {', '.join(MAPS)}")
        bits |= 1 << MAPS.index(name)
    return bits


def _opcode(text: str) -> int:
    value = int(text, 16)
    if not 0 <= value < 256:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text.replace("_", "").replace(",", ""))
    if value < 0:
        raise ValueError
    return value


def parser() -> argparse.ArgumentParser:
    ret = argparse.ArgumentParser(
        prog="scripts/processor",
        description="Executes random instructions in a guest and on the processor that this runs on, and compares.",
        epilog="exit status: 0 no difference but known ones; 1 differences; 2 usage, or it cannot run here",
    )
    ret.add_argument("--seed", type=_count, default=1, metavar="N", help="of all that is random (default 1)")
    ret.add_argument("--from", type=_count, default=0, dest="first", metavar="N", help="the first case (default 0)")
    ret.add_argument("--cases", type=_count, default=100_000, metavar="N", help="how many (default 100000)")
    ret.add_argument("--cpu", metavar="MODEL", help="the guest's processor, as pvperf run has it")
    ret.add_argument("--map", type=_maps, default=0, dest="maps", metavar="NAME,...", help=f"of: {', '.join(MAPS)}")
    ret.add_argument("--only", type=_opcode, metavar="OPCODE", help="this opcode alone, in hexadecimal")
    ret.add_argument("--jobs", type=_count, default=1, metavar="N", help="guests at once (default 1)")
    ret.add_argument("--all", action="store_true", help="known kinds, too")
    ret.add_argument("--no-shrink", action="store_true", help="print the case that was found as it is")
    ret.add_argument("--simplify", metavar="BITS", help="of the case --from: print it, simplified like this")
    return ret


def _again(options: argparse.Namespace, found: Difference) -> str:
    words = ["scripts/processor", f"--seed {options.seed}", f"--from {found.number}"]
    if options.cpu:
        words.append(f"--cpu {options.cpu}")
    if options.maps:
        words.append("--map " + ",".join(name for i, name in enumerate(MAPS) if options.maps >> i & 1))
    if options.only is not None:
        words.append(f"--only {options.only:02x}")
    return " ".join([*words, f"--simplify {found.simplify:#x}"])


def _lines(options: argparse.Namespace, found: Difference, number: int) -> Iterator[str]:
    yield f"{found.kind}  ({number})"
    yield f"    {found.ours.case['code0']}  {text_of(found.ours.case)}"
    if found.theirs.end:
        yield f"    {found.theirs.end}"
    for name, ours, theirs in fields_that_differ(found)[:FIELDS_SHOWN] if found.theirs.after else ():
        before = found.ours.before.get(name)
        yield f"    {name}: {'' if before is None else before + ' -> '}{ours}, in the guest {theirs}"
    yield f"    {_again(options, found)}"


def _show(options: argparse.Namespace, runner: Runner) -> int:
    """One case as it is."""
    [(ours, theirs)] = runner.details([(options.first, int(options.simplify, 0))])
    for name, record in (("processor", ours), ("guest", theirs)):
        print(f"{name}: {record.end}" if record.end else name)
        for part in (record.case, record.before, record.after) if name == "processor" else (record.after,):
            print("    " + " ".join(f"{key}={value}" for key, value in part.items()))
    return int(ours.after != theirs.after)


def _progress(begin: float, done: int, cases: int, state: Search) -> None:
    if sys.stderr.isatty():
        rate = done / max(time.monotonic() - begin, 0.001)
        text = f"{done} of {cases} cases, {rate:.0f}/s, {state.different} differ, {len(state.kinds)} kinds"
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _run(options: argparse.Namespace, runner: Runner) -> int:
    begin, state = time.monotonic(), Search([] if options.all else known_kinds.load())
    chunks = [
        (at, min(CHUNK, options.first + options.cases - at))
        for at in range(options.first, options.first + options.cases, CHUNK)
    ]
    with ThreadPoolExecutor(max(options.jobs, 1)) as pool:
        done = 0
        for number in pool.map(lambda chunk: search(runner, *chunk, state), chunks):
            done += number
            _progress(begin, done, options.cases, state)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        kinds = sorted(state.kinds.values(), key=lambda found: (-state.count[found.kind], found.kind))
        shrunk = iter(kinds) if options.no_shrink else pool.map(lambda found: shrink(runner, found), kinds)
        for before, found in zip(kinds, shrunk, strict=True):
            print("\n".join(_lines(options, found, state.count[before.kind])), flush=True)
    seconds = time.monotonic() - begin
    print(
        f"{options.cases} cases in {seconds:.0f} s: {state.different} differ, of them {state.known} as known; "
        f"{len(kinds)} kind{'' if len(kinds) == 1 else 's'}"
    )
    return int(bool(kinds))


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    machine = ["--cpu", options.cpu] if options.cpu else []
    which = Filter(options.seed, options.maps, options.only, machine)
    try:
        with tempfile.TemporaryDirectory(prefix="pvperf-processor-") as folder:
            runner = Runner(build(Path(folder)), which)
            return _show(options, runner) if options.simplify else _run(options, runner)
    except (GuestBuildError, RunError, subprocess.SubprocessError, OSError, ValueError) as error:
        print(f"scripts/processor: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
