# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf run`: boots a guest, and ends with its status."""

from __future__ import annotations

import argparse

from emulator.cli.launch import Launcher
from emulator.files import Files


def main(arguments: argparse.Namespace) -> int:
    """Returns the guest's exit status."""
    with Launcher(arguments, Files()) as launcher:
        return launcher.status(launcher.run())
