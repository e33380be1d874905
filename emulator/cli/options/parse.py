# SPDX-License-Identifier: GPL-2.0-only
"""From the words of a command line to what they ask for."""

from __future__ import annotations

import argparse

from emulator.cli.options.commands import COMMANDS, below, build
from emulator.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments as a namespace with `command`; UsageError for what cannot be understood."""
    own, guests_own = argv, None
    if "--" in argv:
        cut = argv.index("--")
        own, guests_own = argv[:cut], argv[cut + 1 :]
    parser = build([word for word in own if word in COMMANDS][:1])
    if not argv:
        parser.print_help()
        parser.exit()
    if own and own[0].startswith("-"):
        _check_first(own, [option for action in parser._actions for option in action.option_strings])
    arguments, strange = parser.parse_known_args(own)
    if arguments.command == "campaign":  # argparse has no scenarios behind options once it has had the journal
        arguments.scenarios += [word for word in strange if not word.startswith("-")]
        strange = [word for word in strange if word.startswith("-")]
    if strange:
        said = _strange(arguments.command, strange[0], _options(parser))
        raise UsageError(f"{said} (see pvperf {arguments.command} --help)")
    if arguments.command == "linux":
        arguments.guest_args = guests_own or []
    elif arguments.command in ("run", "stat", "record"):
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
        if option in _options(build([command])):
            behind = f"{option} is an option of pvperf {command}, and goes behind it"
            raise UsageError(f"{behind} (see pvperf {command} --help)")
    raise UsageError(f"pvperf has no option {option}{_meant(option, own)} (see pvperf --help)")


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """All that are spelled out somewhere, those of a command below included."""
    found: list[str] = []
    for action in parser._actions:
        found += action.option_strings
    for command in below(parser).values():
        found += _options(command)
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
    hint = "; what belongs to the guest goes behind --" if command in ("run", "stat", "record", "linux") else ""
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
