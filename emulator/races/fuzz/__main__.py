# SPDX-License-Identifier: GPL-2.0-only
"""`scripts/fuzz`: fuzzes, makes what it finds small, and hands it to the explorer for a replay file."""

from __future__ import annotations

import argparse
import random
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from emulator.errors import HostError, PvperfError, UsageError
from emulator.files import Files, write_whole
from emulator.places import own_command, run_program
from emulator.races.explore.machine import canaries
from emulator.races.fuzz.build import CORPUS, build_fuzzer, build_player
from emulator.races.fuzz.case import PIECE, Target, signature, smaller
from emulator.terminal.quantity import duration, positive, whole

_DESIGNS = ("per-vm", "per-vcpu", "posted", "no-refcount")
_OUTPUT = Path("violation.fuzz")
_LONGEST = 520  # bytes: a header and 64 records
_EXPLORED = 60_000
_STATISTIC = re.compile(r"^stat::number_of_executed_units: *(\d+)", re.MULTILINE)
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Fuzz the hypercall surface: libFuzzer on the host core, with guest memory that changes.",
        epilog="exit status: 0 all held; 1 a violation, whose input is in FILE; 2 usage; 126 not supported here",
    )
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT", type=Path, help="only play these, each twice, and tell what they do")
    add("--design", choices=_DESIGNS, help="of the event table (default: per-vm and per-vcpu, as the input says)")
    add("--canary", metavar="NAME", help="plant this defect first (native/explore/fibers/canary.h)")
    add("--seed", type=whole, metavar="N", help="of libFuzzer (default: a fresh one, which is printed)")
    add("--runs", type=positive, metavar="N", help="end after so many inputs: ends the same each time")
    add("--duration", type=duration, default=60.0, metavar="TIME", help="end after so long (default 60s)")
    add("--empty", action="store_true", help="start from nothing, not from the inputs in tests/fuzz/corpus")
    add("--keep", action="store_true", help="add inputs that reach what none in tests/fuzz/corpus does")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        default=_OUTPUT,
        help=f"(default {_OUTPUT}; an old one becomes {_OUTPUT}.old)",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0; 1 for a violation."""
    try:
        arguments = _arguments(argv)
        if arguments.canary and arguments.canary not in canaries():
            raise UsageError(f"there is no canary '{arguments.canary}'; there are {', '.join(canaries())}")
        target = Target(build_player(), arguments.design or "", arguments.canary or "")
        if arguments.inputs:
            return _play(target, arguments.inputs)
        _check_outputs(arguments.output)
        with tempfile.TemporaryDirectory() as scratch:
            return _fuzz(target, arguments, Path(scratch))
    except (PvperfError, OSError) as error:
        print(f"pvperf: {error}", file=sys.stderr)
        if isinstance(error, PvperfError):
            return error.exit_status
        return UsageError.exit_status if isinstance(error, FileNotFoundError) else HostError.exit_status
    except KeyboardInterrupt:
        print("pvperf: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def _check_outputs(output: Path) -> None:
    """PvperfError if what is found could not be written: better known before than behind it."""
    files = Files()
    files.writes(str(output), regular=True, keep_old=_is_default(output))
    for suffix in (".program", ".replay"):
        files.writes(str(output.with_suffix(suffix)), regular=True)


def _is_default(output: Path) -> bool:
    """Nobody has asked for what is there to be replaced."""
    return output == _OUTPUT


def _play(target: Target, inputs: list[Path]) -> int:
    wrong = 0
    for path in inputs:
        if path.stat().st_size < PIECE:
            raise UsageError(f"{path} is too short to be an input: it has no header of {PIECE} bytes")
        print(target.told(path))
        shown = target.shows(path)
        wrong += bool(shown)
        print(f"{path}: {shown or 'all held, twice the same'}")
    return int(wrong > 0)


def _fuzz(target: Target, arguments: argparse.Namespace, scratch: Path) -> int:
    fuzzer = build_fuzzer()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1, 1 << 31)
    until = [f"-max_total_time={max(1, round(arguments.duration))}"]
    if arguments.runs:  # what was compared has thread ids in it, which are others each time
        until = [f"-runs={arguments.runs}", "-use_cmp=0", "-reload=0"]
    reached = scratch / "reached"
    reached.mkdir()
    command = [str(fuzzer), f"-seed={seed}", *until, f"-max_len={_LONGEST}", "-print_final_stats=1", "-timeout=20"]
    command += [f"-artifact_prefix={scratch}/", str(reached), *([] if arguments.empty else [str(CORPUS)])]
    print(f"fuzz: {arguments.design or 'per-vm and per-vcpu'}, seed {seed}", flush=True)
    log = _follow(command, target)
    found = sorted(path for path in scratch.iterdir() if path.name.startswith(("crash-", "timeout-", "leak-", "oom-")))
    if found:
        return _report(target, found[0], arguments.output)
    executed, coverage = _STATISTIC.findall(log), _COVERAGE.findall(log)
    if not executed or not coverage:
        raise PvperfError(f"libFuzzer did not end as it should:\n{log[-2000:]}")
    edges, features, inputs = coverage[-1]
    print(
        f"fuzz: {int(executed[-1]):,} inputs, {edges} edges, {features} features, {inputs} inputs that differ: all held"
    )
    if arguments.keep:
        before = len(list(CORPUS.iterdir()))
        merge = [str(fuzzer), "-set_cover_merge=1", f"-max_len={_LONGEST}", str(CORPUS), str(reached)]
        if subprocess.run(merge, env=target.environment(), check=False, capture_output=True).returncode:
            raise PvperfError("this libFuzzer cannot choose inputs to keep: it needs clang 14 or newer")
        print(f"fuzz: {len(list(CORPUS.iterdir())) - before} inputs added to {CORPUS}")
    return 0


def _follow(command: list[str], target: Target) -> str:
    """Runs libFuzzer, and tells on stderr how far it is. Returns all that it printed."""
    lines = []
    process = subprocess.Popen(
        command, env=target.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        try:
            assert process.stderr
            for raw in process.stderr:
                line = raw.decode(errors="replace")
                lines.append(line)
                if "pulse" in line:
                    print("fuzz:", " ".join(line.split()), file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            process.kill()
            raise
    return "".join(lines)


def _report(target: Target, path: Path, output: Path) -> int:
    """What was found: small, in a file, and as the explorer's case where it can be."""
    shown = target.shows(path)
    write_whole(output, path.read_bytes(), keep_old=_is_default(output))  # kept, whatever comes of making it smaller
    if not shown:
        print(f"fuzz: {output} ends libFuzzer ({path.name.partition('-')[0]}), and all holds when it is played")
        return 1
    wanted = signature(shown)
    trial = path.with_name("trial")

    def still(data: bytes) -> bool:
        trial.write_bytes(data)
        return signature(target.shows(trial)) == wanted

    hangs = path.name.startswith("timeout-")  # each try would take as long
    if not hangs:
        write_whole(output, smaller(path.read_bytes(), still))
    print(target.told(output))
    print(f"fuzz: {shown}\nfuzz: {output} shows it: scripts/fuzz {_options(target)}{output}")
    _explore(target, output)
    return 1


def _violated(replay: Path) -> str:
    found = re.search(r"^violates (.+)$", replay.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "of no oracle"


def _options(target: Target) -> str:
    chosen = {"design": target.design, "canary": target.canary}
    return "".join(f"--{name} {value} " for name, value in chosen.items() if value)


def _explore(target: Target, output: Path) -> None:
    """A program for the explorer beside the input, and what it makes of it."""
    if target.canary:
        return
    text, why = target.program(output)
    if not text:
        print(f"fuzz: no replay file for the explorer: {why}")
        return
    program, replay = output.with_suffix(".program"), output.with_suffix(".replay")
    write_whole(program, text)
    command = own_command("explore", str(program), "--seed", "1", "--schedules", str(_EXPLORED))
    for name, value in re.findall(r"^(design|nmi|sync) (\S+)$", text, re.MULTILINE):
        command += [f"--{name}", value]
    done = run_program([*command, "-o", str(replay)])
    if done.returncode == 1:
        print(f"fuzz: {replay} is the explorer's case of it, {_violated(replay)}: pvperf replay {replay}")
    elif done.returncode not in (0, 7):
        print(f"fuzz: no replay file for the explorer: {done.stderr.strip()}")
    else:
        print(f"fuzz: {program} is the explorer's program of it; {_EXPLORED:,} of its schedules do not show it")


if __name__ == "__main__":
    sys.exit(main())
