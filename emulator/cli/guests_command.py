# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf guests`: the bundled guests; `pvperf guests build`: one of the user's own."""

from __future__ import annotations

import argparse
import json

from emulator.errors import UsageError


def main(arguments: argparse.Namespace) -> int:
    """Lists or builds."""
    return _build(arguments) if arguments.action == "build" else _list(arguments)


def _list(arguments: argparse.Namespace) -> int:
    from emulator.guests import BUNDLED, find_guest

    if arguments.json:
        guests = [{"name": name, "description": text, "path": str(find_guest(name))} for name, text in BUNDLED.items()]
        print(json.dumps({"schema_version": 1, "guests": guests}, indent=1))
    else:
        for name, text in BUNDLED.items():
            print(f"{name:<12}{text}")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    from emulator.guest_build import GuestBuildError, build_guest

    try:
        build_guest(arguments.sources, arguments.output, cc=arguments.cc)
    except GuestBuildError as error:
        sentence, _, said = str(error).partition(":\n")
        refused = UsageError(sentence)
        refused.details = said
        raise refused from None
    return 0
