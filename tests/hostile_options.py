# SPDX-License-Identifier: GPL-2.0-only
"""Command lines from real options and files, each with what has to become of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from hostile_place import INPUTS, OUTPUTS, SMALL_CAMPAIGN

STATUS = {"usage": {2}, "host": {125}, "data": {1}}


@dataclass
class Command:
    """Words, what has to become of them, and which names may change."""

    random: random.Random
    words: list[str] = field(default_factory=list)
    verdicts: set[str] = field(default_factory=set)
    outputs: list[str] = field(default_factory=list)
    inputs: set[str] = field(default_factory=set)
    fine: set[int] = field(default_factory=lambda: {0})

    def add(self, *words: str) -> None:
        self.words += words

    def maybe(self, *options: str) -> None:
        """Some of these, each a string of words; behind ! what is usage."""
        for option in options:
            if self.random.random() < 0.25:
                self.words += option.lstrip("!").split()
                self.verdicts |= {"usage"} if option.startswith("!") else set()

    def input(self, good: list[str], bad: dict[str, str], *before: str) -> None:
        """An input: mostly one of the good."""
        name = self.random.choice(good if self.random.random() < 0.8 else list(bad))
        self.verdicts |= {bad[name]} if name in bad else set()
        self.inputs.add(_same(name))
        self.add(*before, name)

    def output(self, *before: str, special: bool = False, chance: float = 1.0, perhaps: bool = False) -> None:
        """An output by any name, also one of what is read; `perhaps`: it is written only if something is found."""
        if self.random.random() > chance:
            return
        name = self.random.choice([*OUTPUTS, *OUTPUTS, *INPUTS])
        verdict = OUTPUTS.get(name, "ok")
        if verdict == "special":
            verdict = "ok" if special else "usage"
        known = [_same(each) for each in self.outputs]
        if _same(name) in self.inputs or (_same(name) in known and name != "/dev/null"):
            verdict = "usage"
        if perhaps and name.startswith("full/") and verdict == "host":
            verdict = "perhaps"
        self.verdicts.add(verdict)
        self.outputs.append(name)
        self.add(*before, name)

    def allowed(self) -> set[int]:
        wrong = [STATUS[verdict] for verdict in self.verdicts if verdict in STATUS]
        late = {125} if "perhaps" in self.verdicts else set()
        return set().union(*wrong, late) if wrong else self.fine | late


Maker = Callable[[Command], None]


def _same(name: str) -> str:
    """One name for what is the same file."""
    return {
        "link": "w.elf",
        "hard": "w.elf",
        "./w.elf": "w.elf",
        "to old": "old",
        "/dev/stdout": "-",
        "/proc/self/fd/1": "-",
    }.get(name, name)


_NO_GUEST = {"text": "usage", "dir": "usage", "missing": "usage", "mine.c": "usage", "p": "usage", "/dev/zero": "usage"}
_VM = ("--smp 2", "-m 16M", "--seed 7", "--design posted", "--nmi deferred", "--sync every-exit", "-v", "--counters 1")
_BAD_VM = ("!--smp 0", "!--design none", "!-m 1X", "!--nosuch", "!--fault x", "!--cycles none")


def _machine(command: Command) -> None:
    command.maybe(*_VM, "-q", *_BAD_VM)
    command.add("--timeout", "30")


def _guest(command: Command) -> None:
    command.input(["w.elf", "link", "./w.elf", "hello"], _NO_GUEST)


def run(command: Command) -> None:
    _machine(command)
    _guest(command)
    command.output("--trace", special=True, chance=0.8)
    if not command.outputs:
        command.maybe("!--trace-records 5")
    elif command.outputs[-1] == "-":
        command.verdicts.add("usage")


def stat(command: Command) -> None:
    _machine(command)
    _guest(command)
    command.maybe("-e instructions,branches", "-e {instructions,cycles}:u,dummy", "-A", "-dd", "-r 2", "-I 5 --summary")
    command.maybe("!-e nosuch", "!-e {cycles", "!-I 0", "!-x --json")
    if {"-r", "-I"} <= set(command.words):
        command.verdicts.add("usage")
    command.output("-o", special=True, chance=0.9)
    if command.outputs and command.outputs[-1] != "-":
        command.maybe("--append")


def record(command: Command) -> None:
    _machine(command)
    _guest(command)
    command.maybe("-c 1000", "-g", "!-F 0", "!--ring 3K", "!-e nosuch", "--guest-mode")
    command.output("-o", chance=0.9)
    if "-o" not in command.words:
        command.outputs.append("perf.data")


_NO_RECORDING = {"text": "data", "w.elf": "data", "empty": "data", "missing": "usage", "dir": "usage"}


def report(command: Command) -> None:
    command.input(["p"], _NO_RECORDING, "-i")
    if "p" in command.inputs:
        command.inputs.add("w.elf")
    command.maybe("--sort vcpu,symbol", "-g", "--json", "!--sort nosuch", "!--format x")
    command.output("-o", special=True, chance=0.9)


def script(command: Command) -> None:
    command.input(["p"], _NO_RECORDING, "-i")
    command.maybe("!--nosuch", "!-o x")


def build(command: Command) -> None:
    command.add("guests", "build")
    command.input(["mine.c"], {"text": "usage", "missing": "usage", "dir": "usage", "w.elf": "usage"})
    if "mine.c" in command.inputs:
        command.inputs.add("mine.h")
    command.maybe("--cflags=-O1", "!--cc nosuch", "!--cflags=-nosuch")
    command.output("-o")


def explore(command: Command) -> None:
    command.add("explore")
    command.input(["prog", "close-enable"], {"text": "usage", "missing": "usage", "w.elf": "usage", "p": "usage"})
    command.add("--schedules", "50", "--seed", "1", "--shrink", "10ms")
    command.maybe("--design no-refcount", "--nmi deferred", "--json", "-v", "!--memory x", "!--seed -1")
    command.output("-o", chance=0.9, perhaps=True)
    command.fine = {0, 1, 7}


def stress(command: Command) -> None:
    command.add("stress", "--native", "--ops", "500", "--seed", "1", "--search", "10ms")
    command.input(["prog", "close-enable"], {"text": "usage", "missing": "usage", "w.elf": "usage"})
    command.maybe("--design no-refcount", "--smp 2", "!--kill", "!--noise 101", "!--mix x")
    command.output("-o", chance=0.9, perhaps=True)
    command.fine = {0, 1, 7}


def campaign(command: Command) -> None:
    command.add("campaign")
    name = command.random.choice(["new", "journal", "close-nmi", "per-vm", "", *OUTPUTS, *INPUTS])
    good = {"new": "ok", "journal": "ok", **{n: v for n, v in OUTPUTS.items() if v in ("ok", "host")}}
    if name in ("old", "to old", "ro/old", "full/old"):  # no journals
        good.pop(name)
    command.verdicts.add(good.get(name, "usage"))
    command.outputs.append(name)
    command.add(name)
    if name != "journal":
        command.add("close-enable", *SMALL_CAMPAIGN, "--workers", "1")
    command.maybe("--json", "!--seed -1", "!--workers 0")
    command.fine = {0, 1, 7}


def model(command: Command) -> None:
    command.add("model", "--ops", "1", "--nmis", "1")
    command.maybe("--nmi lockless", "--json", "!--vcpus 9", "!--defect none")
    command.output("-o", chance=0.9, perhaps=True)
    command.fine = {0, 1, 7}


def replay(command: Command) -> None:
    command.add("replay")
    command.input(
        ["case"], {name: "usage" for name in ("text", "missing", "dir", "w.elf", "prog", "/dev/zero", "empty")}
    )
    command.maybe("--json", "--times 2", "!--times 0")
    command.fine = {1}


def bench_report(command: Command) -> None:
    command.add("bench", "report")
    command.input(
        ["result.json"], {"text": "usage", "missing": "usage", "dir": "usage", "p": "usage", "/dev/zero": "usage"}
    )
    command.output("--csv", special=True)
    command.output("--markdown", special=True, chance=0.4)


def bench_compare(command: Command) -> None:
    command.add("bench", "compare")
    command.input(["result.json"], {"text": "usage", "missing": "usage", "w.elf": "usage"})
    command.add("result.json")
    command.inputs.add("result.json")
    command.output("--json", special=True, chance=0.7)
    command.maybe("!--suite none", "!--min-effect x")


def lists(command: Command) -> None:
    command.add(command.random.choice(["events", "guests", "doctor"]))
    command.maybe("--json", "!--nosuch", "!extra")
    command.fine = {0, 1} if command.words[0] == "doctor" else {0}


MAKERS: list[Maker] = [
    *(run, stat, record, report, script, build, explore, stress, campaign, model, replay, bench_report, bench_compare),
    lists,
]
QUICK: list[Maker] = [report, script, build, explore, campaign, model, replay, stat, record, run]


def make_command(seed: int, number: int, makers: list[Maker]) -> Command:
    """The same for the same numbers."""
    chooser = random.Random(f"{seed} {number}")
    command = Command(chooser)
    maker = makers[number % len(makers)]
    if maker in (run, stat, record, report, script):
        command.add(maker.__name__)
    maker(command)
    return command
