# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf linux`: boots Debian's kernel with the file system that was made for it."""

from __future__ import annotations

import argparse
import os
import sys

from emulator.cli.launch import Launcher
from emulator.debian import places
from emulator.debian.adding import added
from emulator.errors import UsageError
from emulator.files import Files
from emulator.terminal.printable import printable


def main(arguments: argparse.Namespace) -> int:
    """Returns the guest's exit status."""
    if arguments.fetch:
        return _fetch(arguments)
    if arguments.guest is None:
        arguments.guest = str(places.fetched(places.KERNEL))
    own_init = not arguments.initrd
    if own_init:
        arguments.initrd = [str(places.fetched(places.SMALL if arguments.small else places.FULL))]
    files = Files()
    if arguments.add:
        files.reads(*arguments.add)
        arguments.initrd.append(_in_memory(added(arguments.add, below="root")))
    with Launcher(arguments, files) as launcher:
        if not launcher.is_linux:
            raise UsageError(f"{arguments.guest} is no Linux kernel")
        if own_init:
            launcher.prepare_init()
        return launcher.status(launcher.run())


def _in_memory(data: bytes) -> str:
    """A path that leads to these bytes, as long as this process lives."""
    fd = os.memfd_create("pvperf-added")
    with open(fd, "wb", closefd=False) as stream:
        stream.write(data)
    return f"/proc/self/fd/{fd}"


def _fetch(arguments: argparse.Namespace) -> int:
    from emulator.debian.fetch import fetch

    if arguments.guest or arguments.guest_args:
        raise UsageError("--fetch boots nothing: it goes without a kernel, and without a command")
    fetch(lambda sentence: print(f"pvperf: {printable(sentence)}", file=sys.stderr, flush=True))
    return 0
