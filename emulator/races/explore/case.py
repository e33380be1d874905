# SPDX-License-Identifier: GPL-2.0-only
"""A violation as a file: the machine, the program, every decision, and how it ended. Text, so that it can be read.

A line is a word and its value. A decision is `switch STEP FROM TO OP KIND PLACE`: before step STEP fiber FROM, at its
operation OP and at PLACE, gave way to TO; KIND is `preempted` if FROM could have gone on, else `waits`. With
`memory tso` KIND may be `sees`, and the oldest store in TO's buffer became visible, or `passes`, and FROM went on past
stores that were not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

from emulator.errors import UsageError
from emulator.files import read_whole, write_whole
from emulator.races.explore.machine import ORACLES, STORES, Machine, Setup, Step, Switch, Verdict, build, identity
from emulator.races.explore.program import Program, parse_ops
from emulator.terminal.printable import printable

_FORMAT = "pvperf-replay 1"
MOST_VCPUS = 8


@dataclass(frozen=True)
class Case:
    """A program on a machine, and the schedule that violates an oracle."""

    setup: Setup
    program: Program
    switches: tuple[Switch, ...]
    oracle: str
    text: str
    state_hash: int
    build: str

    @classmethod
    def of(cls, setup: Setup, program: Program, verdict: Verdict) -> Case:
        return cls(setup, program, verdict.switches, verdict.oracle, verdict.text, verdict.state_hash, identity())

    @property
    def of_this_build(self) -> bool:
        """Was it recorded by what runs now? Older files have no version."""
        return self.build in (identity(), build())

    @property
    def preemptions(self) -> int:
        return sum(switch.preempts for switch in self.switches)

    def replay(self) -> tuple[Verdict, list[Step]]:
        """Runs it once: the verdict, and every step."""
        with Machine(self.setup, self.program) as machine:
            return machine.replay(self.switches)

    def lines(self) -> Iterator[str]:
        yield _FORMAT
        yield f"build {self.build}"
        for field in fields(Setup):
            value = getattr(self.setup, field.name)
            if value != field.default or field.name in ("design", "nmi", "sync"):
                yield f"{field.name.replace('_', '-')} {value}"
        yield from self.program.lines()
        for switch in self.switches:
            target = switch.target if switch.lets_go is None else switch.lets_go
            yield f"switch {switch.step} {switch.source} {target} {switch.op} {_kind(switch)} {switch.where}"
        yield f"violates {self.oracle}"
        yield f"text {self.text}"
        yield f"state {self.state_hash:016x}"

    def as_text(self) -> str:
        """What is in its file."""
        return "\n".join(self.lines()) + "\n"

    def write(self, path: Path) -> None:
        """As a file, whole or not at all; PvperfError if that cannot be."""
        write_whole(path, self.as_text())


def _kind(switch: Switch) -> str:
    if switch.lets_go is not None:
        return "sees"
    return "passes" if switch.passes else "preempted" if switch.preempts else "waits"


def _switch(value: str) -> Switch:
    step, source, target, op, kind, where = value.split(maxsplit=5)
    fibers = (_number(source, 8), _number(target, 8))
    store = STORES if kind == "sees" else 0
    counts = kind in ("preempted", "passes")
    switch = Switch(_number(step), fibers[0], fibers[1] + store, _number(op, 8), counts, where)
    if _kind(switch) != kind:
        raise ValueError(kind)
    return switch


def _number(text: str, bits: int = 32) -> int:
    """As the C code has it. ValueError for what is no such number."""
    value = int(text)
    if not 0 <= value < 1 << bits:
        raise ValueError(text)
    return value


class _Reader:
    """Collects what the lines of a file say."""

    def __init__(self) -> None:
        self.setup = Setup()
        self.vcpus: list[str] = []
        self.timer = ""
        self.switches: list[Switch] = []
        self.values: dict[str, str] = {}

    def program(self) -> Program:
        return Program(tuple(parse_ops(text) for text in self.vcpus), parse_ops(self.timer))

    def take(self, word: str, value: str) -> None:
        name = word.replace("-", "_")
        known = {field.name: field.type for field in fields(Setup)}
        if name in known:
            self.setup = replace(self.setup, **{name: _number(value) if known[name] == "int" else value})  # type: ignore[arg-type]
        elif word == "vcpu":
            number, colon, ops = value.partition(":")
            if not colon or number != str(len(self.vcpus)):
                raise UsageError(f"the next vCPU's line begins with 'vcpu {len(self.vcpus)}:'")
            parse_ops(ops)
            self.vcpus.append(ops)
        elif word == "timer:":
            parse_ops(value)
            self.timer = value
        elif word == "switch":
            self.switches.append(_switch(value))
        elif word in ("build", "violates", "text", "state"):
            self.values[word] = printable(value)
        else:
            raise ValueError(word)


def _read(path: Path, *, first: str) -> _Reader:
    """What the lines of a file say, the first of which must be `first` if that is not empty."""
    try:
        lines = read_whole(path).decode().splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not text") from None
    if first and lines[:1] != [first]:
        raise UsageError(f"{path} is no replay file: its first line is not '{first}'")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        word, _, value = line.partition(" ")
        try:
            if line != _FORMAT and line.strip() and not line.startswith("#"):
                reader.take(word, value)
        except ValueError:
            raise UsageError(f"{path}, line {number}: '{line[:60]}' is not understood") from None
        except UsageError as error:
            raise UsageError(f"{path}, line {number}: {error}") from None
    if not 1 <= len(reader.vcpus) <= MOST_VCPUS:
        raise UsageError(f"{path} has {len(reader.vcpus)} vCPUs, and 1 to {MOST_VCPUS} can be explored")
    return reader


def read_program(path: Path) -> tuple[Setup, Program]:
    """A program that somebody wrote, `vcpu 0: open 1; close 1` and so on, and the capacities that it asks for."""
    reader = _read(path, first="")
    return reader.setup, reader.program()


def read_case(path: Path) -> Case:
    """The case in a file; UsageError, with the line, for what is none."""
    reader = _read(path, first=_FORMAT)
    values = reader.values
    state = values.get("state", "0")
    if not re.fullmatch(r"[0-9a-f]{1,16}", state):
        raise UsageError(f"{path}: the state '{state[:60]}' is not understood")
    if values.get("violates") not in ORACLES:
        raise UsageError(f"{path} does not say what is violated")
    return Case(
        setup=reader.setup,
        program=reader.program(),
        switches=tuple(reader.switches),
        oracle=values["violates"],
        text=values.get("text", ""),
        state_hash=int(state, 16),
        build=values.get("build", ""),
    )
