# SPDX-License-Identifier: GPL-2.0-only
"""Every option of every command. Only argparse is loaded here: `--help` has to be fast.

What an option means, and which values make sense, is known where it is used; here is how it is spelled.
"""

from __future__ import annotations

import argparse
import os
import sys

from emulator.cli.quantity import duration, names, period, positive, preemptions, rate, seed, size, whole
from emulator.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

FORMATS = ("table", "folded", "speedscope", "perfetto")
_EXIT_STATUS = """\
exit status: the guest's own; 2 usage; 123 the guest cannot go on (all its vCPUs are halted, a triple
fault, it left RAM); 124 time-out; 125 host error; 126 not supported here; that of a signal, if one ended
the run. What follows -- is the guest's command line."""

_VERDICTS = "exit status: 0 all held; 1 a violation, which is in the replay file; 2 usage; 7 it proves nothing"
#: The names in emulator/races/explore/scenarios.py, whose import takes too long for a help.
_SCENARIOS = """\
scenarios: close-enable, close-nmi, close-sync, migrate, follow-task, open-limit, dup-open,
read-close, enable-disable, stop-and-go, nmi-storm, slow-sync, clock-nmi, full-queue,
handler-sync, breakpoint, no-memory, errno, halt-kick, halt-nmi, throttle, failing-write,
group-close, group-move, record, churn. A file has lines such as:
vcpu 0: open 1 period 10; enable 1; run 25; close 1"""
_REPLAY_FILE = "of a violation (default SCENARIO-DESIGN.replay here, and what that is already becomes FILE.old)"
_OF_FILES = "exit status: 1 what is in the file cannot be read; 2 usage; 125 the output cannot be written"


class Parser(argparse.ArgumentParser):
    """Complains in one sentence, and says what may have been meant."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")

    def _print_message(self, message: str, file: Any = None) -> None:
        """What cannot be printed is not passed over, as argparse does it."""
        if message:
            (file or sys.stdout).write(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"there is no '{value}'{_suggestion(value, action.choices)}")


def _suggestion(word: str, choices: Iterable[str]) -> str:
    from difflib import get_close_matches

    names = list(choices)
    close = get_close_matches(word, names, n=2)
    return f"; did you mean {' or '.join(close)}?" if close else f"; there are {', '.join(names)}"


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse would ask shutil, whose import takes longer than the help itself."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size().columns) or 80
    except (OSError, ValueError):
        return 80


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from emulator import __version__

        print(f"pvperf {__version__}")
        parser.exit()


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments as a namespace with `command`; UsageError for what cannot be understood."""
    own, guests_own = argv, None
    if "--" in argv:
        cut = argv.index("--")
        own, guests_own = argv[:cut], argv[cut + 1 :]
    parser = _build(own)
    if own and own[0].startswith("-"):
        _check_first(own, [option for action in parser._actions for option in action.option_strings])
    arguments, strange = parser.parse_known_args(own)
    if arguments.command == "campaign":  # argparse has no scenarios behind options once it has had the journal
        arguments.scenarios += [word for word in strange if not word.startswith("-")]
        strange = [word for word in strange if word.startswith("-")]
    if strange:
        said = _strange(arguments.command, strange[0], _options(parser))
        raise UsageError(f"{said} (see pvperf {arguments.command} --help)")
    if arguments.command in ("run", "stat", "record"):
        _take_guest(arguments, guests_own)
    elif guests_own is not None:
        raise UsageError(f"pvperf {arguments.command} starts no guest, so that nothing can follow --")
    return arguments


def _check_first(argv: list[str], own: list[str]) -> None:
    """Refuses an option in front of the command that is none of pvperf's own."""
    option = argv[0].partition("=")[0]
    if option in own:
        return
    named = [word for word in argv if word in COMMANDS]
    for command in [*named[:1], *COMMANDS]:
        if option in _options(_build([command])):
            behind = f"{option} is an option of pvperf {command}, and goes behind it"
            raise UsageError(f"{behind} (see pvperf {command} --help)")
    raise UsageError(f"pvperf has no option {option}{_meant(option, own)} (see pvperf --help)")


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """All that are spelled out somewhere, those of a command below included."""
    found: list[str] = []
    for action in parser._actions:
        found += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found += _options(below)
    return found


def _meant(option: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(option, [each for each in known if each.startswith("--")], n=1)
    return f"; did you mean {close[0]}?" if close and option.startswith("--") else ""


def _strange(command: str, word: str, known: Iterable[str]) -> str:
    """What is wrong with a word that no option and no argument of the command took."""
    if word.startswith("-"):
        option = word.partition("=")[0]
        return f"pvperf {command} has no option {option}{_meant(option, known)}"
    hint = "; what belongs to the guest goes behind --" if command in ("run", "stat", "record") else ""
    if command in ("report", "script"):
        hint = f": name a recording with -i, as in -i {word}"
    return f"pvperf {command} has no use for '{word}'{hint}"


def _take_guest(arguments: argparse.Namespace, guests_own: list[str] | None) -> None:
    """`GUEST -- args`, and also perf's habit, `-- GUEST args`."""
    words = guests_own or []
    if arguments.guest is None and words:
        arguments.guest, words = words[0], words[1:]
    if arguments.guest is None:
        raise UsageError("no guest was named: a bundled one (see pvperf guests) or an ELF file")
    arguments.guest_args = words


def _build(argv: list[str]) -> Parser:
    parser = Parser(
        prog="pvperf",
        description="Boots VMs whose guests count themselves through the paravirtual perf interface.",
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in argv if word in COMMANDS), None)
    for name, (summary, fill) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
            formatter_class=_Formatter,
        )
        if name == wanted:  # options of the others are nobody's concern now
            fill(command)
    return parser


def _add_machine(parser: argparse.ArgumentParser) -> None:
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


def _run(parser: argparse.ArgumentParser) -> None:
    _add_machine(parser)


def _stat(parser: argparse.ArgumentParser) -> None:
    _add_machine(parser)
    stat = parser.add_argument_group("counting")
    add = stat.add_argument
    add("-e", "--event", action="append", metavar="EVENT", help="EVENT[:uk][,EVENT...], repeatable; see pvperf events")
    add("-A", "--no-aggr", action="store_true", dest="per_vcpu", help="a count for each vCPU")
    add("-d", "--detailed", action="count", default=0, help="also the events of the cache models")
    add("-r", "--repeat", type=positive, default=1, metavar="N", help="boot N times, print mean and spread")
    form = stat.add_mutually_exclusive_group()
    form.add_argument("-j", "--json", action="store_true", help="a JSON object per count and line")
    form.add_argument("-x", "--field-separator", metavar="SEP", help="fields as perf stat -x has them")
    add("-o", "--output", metavar="FILE", help="write the counts to FILE, whole or not at all; - is stdout")
    add("--append", action="store_true", help="add to the file of -o")


def _record(parser: argparse.ArgumentParser) -> None:
    _add_machine(parser)
    record = parser.add_argument_group("sampling")
    add = record.add_argument
    add(
        "-e",
        "--event",
        action="append",
        metavar="EVENT",
        help="EVENT[:uk][,EVENT...], repeatable (default instructions)",
    )
    how = record.add_mutually_exclusive_group()
    how.add_argument("-c", "--count", type=period, metavar="N", help="a sample every N (default 100000: exact)")
    how.add_argument("-F", "--freq", type=rate, metavar="HZ", help="adapt the period to HZ samples a second")
    add("-g", action="store_true", dest="call_graph", help="with call chains, by frame pointer")
    add("--max-stack", type=whole, metavar="N", help="return addresses in a call chain, 1 to 127 (default 64)")
    add("-o", "--output", default="perf.data", metavar="FILE", help="(default perf.data); an old one becomes FILE.old")
    add("--ring", type=size, metavar="SIZE", help="room for samples on each vCPU, in guest RAM (default: up to 1M)")
    add("--guest-mode", action="store_true", help="mark samples as a guest's: for perf kvm --guest report")


def _report(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _OF_FILES
    add = parser.add_argument
    add("-i", "--input", default="perf.data", metavar="FILE", help="of record, or - for stdin (default perf.data)")
    add("--sort", default="symbol", metavar="KEY[,KEY...]", help="of symbol, dso, vcpu (default symbol)")
    add("-g", action="store_true", dest="call_graph", help="below each row, the call chains that led there")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("-j", "--json", action="store_true", help="print a JSON document")
    form.add_argument("--format", choices=FORMATS, default="table", metavar="NAME", help="one of " + ", ".join(FORMATS))
    add("-o", "--output", metavar="FILE", help="write to FILE, whole or not at all (default: stdout)")


def _script(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _OF_FILES
    add = parser.add_argument
    add("-i", "--input", default="perf.data", metavar="FILE", help="of record, or - for stdin (default perf.data)")


def _events(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")


def _guests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print the list as a JSON document")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="the bundled guests, as without an action", allow_abbrev=False)
    listing.add_argument("-j", "--json", action="store_true", default=argparse.SUPPRESS, help="as a JSON document")
    build = actions.add_parser(
        "build",
        help="compile a program against the guest runtime",
        description="Compile C and assembly files against the guest runtime (native/guest/runtime/guest.h) into an "
        "ELF file that pvperf run boots. Its guest_main() is called on vCPU 0.",
        epilog="exit status: 0 built; 2 it does not compile, or usage; 125 FILE cannot be written; 126 no C compiler",
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    build.add_argument("sources", nargs="+", metavar="SOURCE", help="C or assembly files")
    build.add_argument("-o", "--output", required=True, metavar="FILE", help="the ELF file to write")
    build.add_argument("--cc", metavar="COMMAND", help="the compiler (default: $CC, cc, gcc or clang)")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")


def _bench(parser: argparse.ArgumentParser) -> None:
    from emulator.bench.options import add_options

    add_options(parser)


def _explore(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{_SCENARIOS}\n\n{_VERDICTS}"
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help="of those below, or a file (default: all)")
    add("--design", default="per-vm", metavar="NAME", help="of the event table (default per-vm)")
    add("--nmi", default="trylock", metavar="NAME", help="what an NMI does that finds the lock taken (default trylock)")
    add("--sync", default="entry", metavar="NAME", help="when overflows reach guest memory (default entry)")
    add("--memory", default="sc", metavar="MODEL", help="tso: stores wait in buffers, as on x86 (default sc)")
    add("--races", action="store_true", help="see data races, too; takes some times as long")
    add("--seed", type=seed, metavar="N", help="of the sampled schedules (default: a fresh one, which is printed)")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--schedules", type=positive, metavar="N", help="sample N of each scenario: ends the same each time"
    )
    amount.add_argument("--duration", type=duration, metavar="TIME", help="sample for so long in all (default 10s)")
    amount.add_argument(
        "--exhaustive", type=preemptions, metavar="PB", help="only all schedules with at most PB preemptions"
    )
    add("--shrink", type=duration, default=1.0, metavar="TIME", help="how long to make a case smaller (default 1s)")
    add("--canaries", action="store_true", help="only find, shrink and replay each planted defect: a table")
    add("-v", "--verbose", action="store_true", help="a line for each canary, and for what met in one order alone")
    add("-o", "--output", metavar="FILE", help=_REPLAY_FILE)
    add("-j", "--json", action="store_true", help="print a JSON document")


def _campaign(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "exit status: 0 all held; 1 violations, whose replay files are in JOURNAL.replays; 2 usage, or a journal that\n"
        "is damaged, was edited, or is another program's or version's; 7 it proves nothing, or not yet; 125 the\n"
        "journal cannot be written any more. JOURNAL alone goes on where it ended; more seeds, designs or\n"
        "scenarios extend it."
    )
    add = parser.add_argument
    add("journal", metavar="JOURNAL", help="the SQLite file that keeps what is done")
    add(
        "scenarios",
        nargs="*",
        default=[],
        metavar="SCENARIO",
        help="close-enable, migrate, churn, ..., or a file (default: all)",
    )
    add("--design", type=names, dest="designs", metavar="NAME,...", help="(default per-vm,per-vcpu)")
    add("--nmi", type=names, dest="nmis", metavar="NAME,...", help="(default trylock,deferred,lockless)")
    add("--sync", type=names, dest="syncs", metavar="NAME,...", help="entry, every-exit (default entry)")
    add("--races", action="store_true", default=None, help="see data races, too; takes some times as long")
    add("--seed", type=whole, metavar="N", help="the first (default: a fresh one, which is printed)")
    add("--seeds", type=whole, metavar="N", help="on each machine in each scenario (default 100)")
    add("--schedules", type=positive, metavar="N", help="of each seed, 10000 at most (default 10000)")
    add("--twice", action="store_true", default=None, help="run each seed twice, and compare every trace and end state")
    add(
        "--stress",
        type=whole,
        metavar="N",
        help="boot N whole VMs here, too, for each machine and scenario (default 0)",
    )
    add("--smp", type=whole, metavar="N", help="vCPUs of each of these (default 4)")
    add("--duration", type=duration, metavar="TIME", help="end after so long, to go on another time (default: never)")
    add("--report", action="store_true", help="only say what is in JOURNAL")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--workers", type=positive, metavar="N", help="processes (default: one for each core)")
    who.add_argument("--dask", metavar="ADDRESS", help="the workers of the Dask scheduler at tcp://HOST:PORT")
    add("-j", "--json", action="store_true", help="print a JSON object a line")


def _stress(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{_SCENARIOS}\nhostile: random calls and arguments. Some are for explore alone.\n\n{_VERDICTS}"
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help="of those below, or a file (default: all)")
    add("--design", default="per-vm", metavar="NAME", help="of the event table (default per-vm)")
    add("--nmi", default="trylock", metavar="NAME", help="what an NMI does that finds the lock taken (default trylock)")
    add("--sync", default="entry", metavar="NAME", help="when overflows reach guest memory (default entry)")
    add("--smp", type=whole, default=4, metavar="N", help="vCPUs, 1 to 64 (default 4); more than cores find more")
    add("--seed", type=seed, metavar="N", help="of programs, noise and faults (default: a fresh one, which is printed)")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--duration", type=duration, metavar="TIME", help="in all (default 10s)")
    amount.add_argument(
        "--ops", type=positive, metavar="N", help="guest operations of each scenario; boots, with --kill"
    )
    add("--mix", default="", metavar="OP=N,...", help="weights of churn's and hostile's operations")
    add(
        "--fault",
        default="",
        metavar="NAME=PERCENT%",
        help="inject faults: trylock, guest-write, alloc, delay; more behind commas (default: the seed draws them)",
    )
    add("--native", action="store_true", help="the host core alone, a thread for each vCPU; no VM")
    add(
        "--noise",
        type=float,
        default=2.0,
        metavar="PERCENT",
        help="of a native thread's points where it loses time (default 2); 0: no faults are drawn either",
    )
    add(
        "--history",
        type=positive,
        default=0,
        metavar="N",
        help="with --native: N operations and more that never come to rest, judged as one history (O8)",
    )
    add("--hold-us", type=whole, default=0, metavar="N", help="a sync holds the lock N microseconds longer (default 0)")
    add("--kill", action="store_true", help="kill a process of each VM at a random moment")
    add(
        "--matrix",
        action="store_true",
        help="a table: which design breaks in which scenario, and how fast that is found",
    )
    add("--search", type=duration, default=20.0, metavar="TIME", help="look so long for a case to replay (default 20s)")
    add("-o", "--output", metavar="FILE", help=_REPLAY_FILE)


def _replay(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "exit status: 1 the violation is there again; 0 nothing is violated any more; 2 usage; 7 it went another way."
    )
    parser.add_argument("file", metavar="FILE", help="what pvperf explore wrote")
    parser.add_argument("--times", type=positive, default=1, metavar="N", help="replay it N times and compare")
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")


def _model(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "exit status: 0 all held; 1 a violation; 2 usage; 7 too many states; 126 Spin is not there"
    add = parser.add_argument
    add("--design", default="per-vm", metavar="NAME", help="per-vm (default), per-vcpu or no-refcount")
    add("--nmi", default="deferred", metavar="NAME", help="deferred (default) or lockless")
    add("--defect", metavar="NAME", help="plant one: no-reference, check-then-increment, read-modify-write, ...")
    by = parser.add_mutually_exclusive_group()
    by.add_argument("--python", action="store_true", help="search in Python (default)")
    by.add_argument(
        "--spin", action="store_true", help="search by Spin, which has to be installed, as a C compiler has"
    )
    for name, what in (
        ("vcpus", "vCPUs, 1 to 3"),
        ("ids", "events, 1 to 3, each opened once"),
        ("ops", "hypercalls of each vCPU"),
        ("nmis", "NMIs in all"),
        ("limit", "events that may be open at a time"),
        ("capacity", "events that a vCPU's queue holds"),
    ):
        add(f"--{name}", type=whole, metavar="N", help=f"{what} (default {1 if name == 'capacity' else 2})")
    add("--traces", type=positive, metavar="N", help="hold N schedules of the host core against the model instead")
    add("--seed", type=seed, metavar="N", help="of those (default: a fresh one, which is printed)")
    add("-o", "--output", metavar="FILE", help="find the trail's violation on the host core, too: a replay file")
    add("--states", type=positive, default=3_000_000, metavar="N", help="give up behind so many (default 3000000)")
    add("-j", "--json", action="store_true", help="print a JSON document")


#: Name, what `pvperf --help` says of it, and the function that adds its options.
COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "run": ("boot a guest", _run),
    "stat": ("boot a guest and count events while it runs", _stat),
    "explore": ("search the interleavings of the host core for violations", _explore),
    "campaign": ("explore thousands of seeds on every design, and keep a journal", _campaign),
    "stress": ("let whole VMs race, and compare every ledger", _stress),
    "model": ("search all states of the core's protocol, as a model", _model),
    "replay": ("run a recorded interleaving again, and show it", _replay),
    "record": ("boot a guest and sample events while it runs", _record),
    "report": ("show where a recording's samples fell", _report),
    "script": ("print a recording, a line for each sample", _script),
    "events": ("list the events", _events),
    "guests": ("list the bundled guests, or build one of your own", _guests),
    "doctor": ("check what this machine can do", _doctor),
    "bench": ("measure what the emulator costs", _bench),
}
