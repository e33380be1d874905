# SPDX-License-Identifier: GPL-2.0-only
"""What the command line says of itself: every help has examples that work, and costs what it imports."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import commands
import pytest
from commands import Finished

from emulator.cli.manual.topic import find_topic
from emulator.cli.options.commands import COMMANDS, GROUPS, below, build
from emulator.cli.options.parse import parse
from emulator.terminal.parser import Parser

ROOT = Path(__file__).resolve().parents[2]


def pvperf(*arguments: str, **environment: str) -> Finished:
    return commands.pvperf(*arguments, env={**os.environ, **environment}, cwd=ROOT)


def every(parser: Parser) -> Iterator[Parser]:
    yield parser
    for command in below(parser).values():
        yield from every(command)


PARSERS = {each.prog: each for each in every(build(COMMANDS))}


@pytest.mark.parametrize("prog", PARSERS)
def test_a_help_begins_with_examples(prog: str) -> None:
    words = prog.split()[1:]
    done = pvperf(*words, "--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"usage: {prog} .*\n(  .*\n)*\n[A-Z](.+\n)+\nexamples:\n  \S", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert pvperf("help", *words, COLUMNS="80").stdout == done.stdout


@pytest.mark.parametrize("prog", [prog for prog in PARSERS if prog.count(" ") == 1])
def test_few_options_come_first(prog: str) -> None:
    """More than a screenful is in groups, by what they are for."""
    first = PARSERS[prog]._optionals._group_actions
    assert len(first) <= 11, [action.dest for action in first]


def test_alone_it_prints_the_help() -> None:
    alone = pvperf()
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout == pvperf("--help").stdout == pvperf("-h").stdout == pvperf("help").stdout
    for use, names in GROUPS.items():
        assert re.search(rf"^{use}:\n" + "".join(rf"  {name} .*\n(?:    .*\n)*" for name in names), alone.stdout, re.M)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sta"], "there is no 'pvperf sta'; did you mean stat?"),
        (["guests", "buld"], "there is no 'pvperf guests buld'; did you mean build?"),
        (["stat", "matmul"], "pvperf stat has no commands of its own, so that there is no 'pvperf stat matmul'"),
    ],
)
@pytest.mark.parametrize("command", ["help", "man"])
def test_what_is_no_topic(command: str, words: list[str], said: str) -> None:
    done = pvperf(command, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"pvperf: {said}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["stat", "--help"], ["help", "explore"], ["bench", "boot", "-h"]])
def test_help_loads_little(arguments: list[str]) -> None:
    """What it costs is what it imports."""
    program = f"import sys; from emulator.cli import main\nmain({arguments})\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stderr.split())
    heavy = {"cffi", "ctypes", "dataclasses", "inspect", "json", "multiprocess", "posix_ipc", "socket", "subprocess"}
    heavy |= {"rich", "shtab", "typing"}
    ours = {"emulator.events", "emulator.vm.machine", "emulator.native", "emulator._core", "emulator._engine"}
    assert loaded & (heavy | ours) == set()
    assert len([name for name in loaded if name.startswith(("emulator.cli.options.", "emulator.bench."))]) <= 6


#: What is measured takes minutes, but for these.
MEASURED = (
    "pvperf bench boot --quick",
    "pvperf bench nmi-miss --quick",
    "pvperf bench compare before",
    "pvperf bench report",
)
#: What examples end with, if that is not 0.
STATUS = {
    "pvperf explore close-enable --design no-refcount": 1,
    "pvperf model --design no-refcount": 1,
    "pvperf replay": 1,
}


def examples() -> list[str]:
    return list(dict.fromkeys(command for parser in PARSERS.values() for command, _ in parser.examples))


def short(command: str) -> str:
    """The same in seconds."""
    command += " close-enable --duration 1s" if command == "pvperf explore" else ""  # as with stress
    if command.startswith("pvperf stat "):  # what is recorded has to run for a while
        command = re.sub(
            " matmul$", " matmul -- rounds=2", re.sub(" branchy$", " branchy -- iterations=200000", command)
        )
    command = command.replace("pvperf stress --duration", "pvperf stress churn --duration")  # and not each scenario
    return re.sub(r"--duration \S+", "--duration 1s --workers 2" if "campaign" in command else "--duration 1s", command)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody tries the examples: with what they name, and pvperf in PATH."""
    path = tmp_path_factory.mktemp("examples")
    script = path / "bin" / "pvperf"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec "{sys.executable}" -m emulator "$@"\n')
    script.chmod(0o755)
    shutil.copy(ROOT / "examples" / "count.c", path)
    before = [
        "record -o perf.data hello",
        "campaign night.journal churn --design per-vm --nmi trylock --seeds 1 --schedules 100",
        "explore close-enable --design no-refcount -o race.replay",
        "bench boot --quick --json before.json",
    ]
    for command in before:
        done = run(path, f"pvperf {command}")
        assert done.returncode in (0, 1, 7), done.stderr
    shutil.copy(path / "before.json", path / "now.json")
    return path


def run(place: Path, command: str) -> Finished:
    environment = {**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def tried() -> list[object]:
    """A sweep of some points is a test of tests/bench, too; Linux is booted in tests/guest/linux."""
    commands = [each for each in examples() if " bench " not in each or each.startswith(MEASURED)]
    commands = [each for each in commands if not each.startswith("pvperf linux")]
    return [pytest.param(each, marks=pytest.mark.soak if "nmi-miss" in each else ()) for each in commands]


@pytest.mark.parametrize("command", tried())
def test_an_example_works(command: str, place: Path) -> None:
    if "| man" in command and not shutil.which("man"):
        pytest.skip("man is not there")
    done = run(place, short(command))
    if command.startswith(("pvperf campaign", "pvperf stress --duration")):
        assert done.returncode in (0, 7), done.stdout  # within a second it may not prove anything yet
        return
    assert done.returncode == next((status for start, status in STATUS.items() if command.startswith(start)), 0), (
        done.stderr
    )
    assert done.stdout or done.stderr or any(word in command for word in (" -o ", "> ", "eval ", " --html "))


@pytest.mark.parametrize("command", [each for each in examples() if " bench " in each])
def test_an_example_of_bench_is_understood(command: str) -> None:
    words = shlex.split(command)
    assert words[0] == "pvperf"
    assert parse(words[1:]).command == "bench"


@pytest.mark.parametrize("command", [each for each in examples() if each.startswith("pvperf linux")])
def test_an_example_of_linux_is_understood(command: str) -> None:
    words = shlex.split(command.partition(" < ")[0])
    assert parse(words[1:]).command == "linux"


def test_every_topic_is_found() -> None:
    assert {find_topic(prog.split()[1:]).prog for prog in PARSERS} == set(PARSERS)
