# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf completion`: what makes a shell complete pvperf's commands, options and their values. shtab writes it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

from emulator.cli.options.commands import COMMANDS, below, build
from emulator.errors import Unsupported
from emulator.events import countable_names
from emulator.guest.bundled import BUNDLED
from emulator.races.explore.machine import MEMORY_MODELS
from emulator.races.explore.scenarios import SCENARIOS
from emulator.races.model.bounds import DEFECTS
from emulator.terminal.parser import Parser
from emulator.vm.machine import CHOICES, FAULTS

_FILES = ("FILE", "JOURNAL", "KERNEL", "SOURCE", "OLD", "NEW")
#: What the options of these names take, whichever command has them.
_VALUES = {
    **{f"--{name}": [each for each in choices if each] for name, choices in CHOICES.items()},
    "--event": countable_names(),
    "--memory": MEMORY_MODELS,
    "--defect": list(DEFECTS),
    "--fault": [f"{name}=" for name in FAULTS],
}


def main(arguments: argparse.Namespace) -> int:
    """Prints the script. Unsupported without shtab."""
    try:
        import shtab
    except ImportError:
        raise Unsupported("completions are written by shtab: pip install 'pvperf[completion]'") from None
    parser = build(COMMANDS)
    for command in _all(parser):
        for action in command._actions:
            _say_what_it_takes(action, shtab.FILE)
    print(shtab.complete(parser, arguments.shell))
    return 0


def _all(parser: Parser) -> Iterator[Parser]:
    yield parser
    for command in below(parser).values():
        yield from _all(command)


def _say_what_it_takes(action: argparse.Action, files: object) -> None:
    """In what shtab looks at: `choices`, or `complete` for what is found when it is asked for."""
    values = next((_VALUES[name] for name in action.option_strings if name in _VALUES), None)
    if values and action.metavar != "SIZE":  # --memory of run is one
        action.choices = values
    elif action.metavar == "GUEST":
        _complete(action, _words_or_files("guest", list(BUNDLED)))
    elif action.metavar == "SCENARIO":
        _complete(action, _words_or_files("scenario", list(SCENARIOS)))
    elif action.dest == "topic":
        action.choices = list(COMMANDS)
    elif action.metavar in _FILES:
        _complete(action, files)


def _complete(action: argparse.Action, how: object) -> None:
    action.complete = how  # type: ignore[attr-defined]


def _words_or_files(name: str, words: list[str]) -> dict[str, object]:
    """In each shell's own way."""
    these, function = shlex.join(words), f"_pvperf_{name}"
    return {
        "bash": function,
        "zsh": function,
        "fish": f"(printf '%s\\n' {these}; __fish_complete_path (commandline -ct))",
        "tcsh": "f",
        "preamble": {
            "bash": f'{function}() {{\n  compgen -W "{these}" -- "$1"\n  compgen -f -- "$1"\n}}',
            "zsh": f"{function}() {{\n  compadd {these}\n  _files\n}}",
        },
    }
