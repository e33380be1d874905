# SPDX-License-Identifier: GPL-2.0-only
"""Runs ranges of cases on both sides, and says which of them differ."""

from __future__ import annotations

import re
import selectors
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from processor.differential.build import Programs

NOT_JUDGED = ".."  # natively: this processor has not what the guest's has
HASH = 2  # letters for a case
SILENT_SECONDS = 60.0  # a guest that says nothing for so long hangs
NATIVE_SECONDS = 600.0
LIST_BYTES = 3000  # of a guest's command line


class RunError(Exception):
    """One of the two sides could not do its part at all."""


@dataclass(frozen=True)
class Filter:
    """What cases are made of."""

    seed: int = 1
    maps: int = 0
    opcode: int | None = None
    machine: Sequence[str] = ()  # options of `pvperf run`
    plant: int | None = None  # an opcode of the one-byte map that the native side gets wrong

    def words(self) -> list[str]:
        """As both programs take it."""
        words = [f"seed={self.seed}", f"maps={self.maps}"]
        return words if self.opcode is None else [*words, f"opcode={self.opcode}"]


@dataclass
class Differences:
    """Of a range: numbers of cases, and why for those that ended the VM."""

    numbers: list[int] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)
    features: str = ""


@dataclass(frozen=True)
class GuestRun:
    features: str
    output: str
    end: str  # "": as it should


class Runner:
    """Both programs, with one filter."""

    def __init__(self, programs: Programs, which: Filter) -> None:
        self.programs, self.filter = programs, which

    def native(self, features: str, words: Iterable[str]) -> str:
        """What the processor makes of the cases."""
        command = [str(self.programs.native), *self.filter.words(), f"features={features}", *words]
        if self.filter.plant is not None:
            command.append(f"plant={self.filter.plant}")
        done = subprocess.run(command, capture_output=True, timeout=NATIVE_SECONDS, check=False)
        if done.returncode:
            raise RunError(f"{' '.join(command)}: status {done.returncode}\n{done.stderr.decode()}")
        return done.stdout.decode()

    def guest(self, words: Iterable[str]) -> GuestRun:
        """What a guest makes of them, as far as it comes."""
        command = [sys.executable, "-m", "emulator", "run", *self.filter.machine, str(self.programs.guest), "--"]
        command += [*self.filter.words(), *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            output, errors, hangs = _read(process)
        text = output.decode(errors="replace")
        head, _, rest = text.partition("\n")
        if not head.startswith("features="):
            raise RunError(f"{' '.join(command)}: status {process.returncode}\n{errors.decode()}{text}")
        end = "" if process.returncode == 0 else f"status {process.returncode}: {errors.decode().strip()}"
        if "\n!" in rest or rest.startswith("!"):
            rest, _, said = rest.partition("!")
            end = said.strip()
        return GuestRun(head.partition("=")[2], rest, "hangs" if hangs else end)

    def compare(self, first: int, number: int) -> Differences:
        """All of these cases. A VM that ends is started again behind the case that ended it."""
        ret, at, end, ours = Differences(), first, first + number, ""
        while at < end:
            run = self.guest([f"from={at}", f"cases={end - at}"])
            ret.features = run.features
            ours = ours or self.native(run.features, [f"from={first}", f"cases={number}"])
            theirs = "".join(run.output.split())
            done = min(len(theirs) // HASH, end - at)
            for i in range(done):
                our = ours[HASH * (at - first + i) : HASH * (at - first + i + 1)]
                if our not in (theirs[HASH * i : HASH * (i + 1)], NOT_JUDGED):
                    ret.numbers.append(at + i)
            at += done
            if at < end:
                ret.numbers.append(at)
                ret.ends[at] = _brief(run.end)
                at += 1
        return ret

    def details(self, cases: Sequence[tuple[int, int]], *, features: str = "") -> list[tuple[Record, Record]]:
        """What each side says of (number, simplify); the guest's is empty where the VM ends."""
        ret: list[tuple[Record, Record]] = []
        while len(ret) < len(cases):
            part = _part(cases[len(ret) :])
            words = ["verbose=1", "list=" + ",".join(f"{number}:{simplify:#x}" for number, simplify in part)]
            run = self.guest(words)
            theirs, ours = records(run.output), records(self.native(run.features, words))
            if len(ours) != len(part):
                raise RunError(f"native: {len(ours)} records for {len(part)} cases")
            if len(theirs) < len(part):
                theirs = [*theirs[: len(part)], Record({}, {}, {}, _brief(run.end))]
            ret += zip(ours, theirs, strict=False)
        return ret


def _brief(end: str) -> str:
    return re.sub(r"\s+", " ", end)[-300:] or "ended early"


def _part(cases: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    length = 0
    for i, (number, simplify) in enumerate(cases):
        length += len(f"{number}:{simplify:#x},")
        if length > LIST_BYTES:
            return cases[:i]
    return cases


def _read(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, bool]:
    """Both outputs to their end; True if it was silent for too long, and was ended."""
    read: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
    assert process.stdout
    assert process.stderr
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, "out")
        selector.register(process.stderr, selectors.EVENT_READ, "err")
        while selector.get_map():
            ready = selector.select(SILENT_SECONDS)
            if not ready:
                process.terminate()
                process.wait()
                return bytes(read["out"]), bytes(read["err"]), True
            for key, _ in ready:
                data = key.fileobj.read1(1 << 16)  # type: ignore[union-attr]
                if not data:
                    selector.unregister(key.fileobj)
                read[key.data] += data
    process.wait()
    return bytes(read["out"]), bytes(read["err"]), False


@dataclass(frozen=True)
class Record:
    """What one side says of a case: its make, the state before, and the one behind; `end`: why the VM ended on it."""

    case: dict[str, str]
    before: dict[str, str]
    after: dict[str, str]
    end: str = ""


def _fields(line: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line.split()[1:])


def records(text: str) -> list[Record]:
    """Of a verbose output; a last one that is not whole is left out."""
    lines = text[: text.rfind("\n") + 1].splitlines()
    ret = []
    for i in range(0, len(lines) - 2, 3):
        if [line.split(" ", 1)[0] for line in lines[i : i + 3]] != ["case", "in", "out"]:
            break
        ret.append(Record(_fields(lines[i]), _fields(lines[i + 1]), _fields(lines[i + 2])))
    return ret
