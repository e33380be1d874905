# SPDX-License-Identifier: GPL-2.0-only
"""The command line. `main` turns every end of a command into a sentence on stderr and an exit status.

A module here is a command, or what several commands need; each is loaded when its command is given.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from emulator.errors import PvperfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class Killed(BaseException):
    """The command is over, and the process shall end by the signal that ended it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def main(argv: list[str] | None = None) -> int:
    """Runs one command with the arguments `argv` (default: those of the process) and returns its exit status."""
    try:
        status = _dispatch(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return status
    except PvperfError as error:
        _complain(str(error))
        return error.exit_status
    except Killed as killed:
        _die_by(killed.signum)
    except KeyboardInterrupt:
        _die_by(signal.SIGINT)
    except BrokenPipeError:
        _die_by(signal.SIGPIPE)


def _dispatch(argv: list[str]) -> int:
    from importlib import import_module

    from emulator.cli.parser import parse

    arguments = parse(argv)
    module = "emulator.bench" if arguments.command == "bench" else f"emulator.cli.{arguments.command}_command"
    return int(import_module(module).main(arguments))


def _complain(sentence: str) -> None:
    with contextlib.suppress(OSError):  # nobody is left to hear it; the exit status still says it
        print(f"pvperf: {sentence}", file=sys.stderr, flush=True)


def _die_by(signum: int) -> NoReturn:
    """Ends the process by a signal, so that a shell or a script sees what happened."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signum,))
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)
