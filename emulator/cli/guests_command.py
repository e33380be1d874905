# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf guests`: the bundled guests; `pvperf guests build`: one of the user's own."""

from __future__ import annotations

import argparse
import json
import shlex

from emulator.errors import HostError, PvperfError, Unsupported, UsageError

_FAULTS: dict[str, type[PvperfError]] = {"usage": UsageError, "host": HostError, "absent": Unsupported}


def main(arguments: argparse.Namespace) -> int:
    """Lists or builds."""
    return _build(arguments) if arguments.action == "build" else _list(arguments)


def _list(arguments: argparse.Namespace) -> int:
    from emulator.guest.bundled import BUNDLED, find_guest

    if arguments.json:
        guests = [{"name": name, "description": text, "path": str(find_guest(name))} for name, text in BUNDLED.items()]
        print(json.dumps({"schema_version": 1, "guests": guests}, indent=1))
    else:
        for name, text in BUNDLED.items():
            print(f"{name:<12}{text}")
    return 0


def _flags(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--cflags: {text!r} is no list of words: {error}") from None


def _build(arguments: argparse.Namespace) -> int:
    from emulator.files import Files
    from emulator.guest.build import GuestBuildError, find_compiler, make_guest
    from emulator.places import find_program

    with Files() as files:
        files.reads(*arguments.sources)
        output = files.output(arguments.output, regular=True)
        try:
            command = find_compiler(arguments.cc)
            files.reads(*filter(None, [find_program(command[0])]))
            elf, read = make_guest(arguments.sources, command, _flags(arguments.cflags))
        except GuestBuildError as error:
            raise _FAULTS[error.fault](str(error), details=error.details) from None
        files.reads(*read)
        output.write(elf)
    return 0
