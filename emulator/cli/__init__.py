# SPDX-License-Identifier: GPL-2.0-only
"""The command line. `main` turns every end of a command into a sentence on stderr and an exit status.

A module here is a command, or what several commands need; each is loaded when its command is given.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys

from emulator.errors import HostError, Killed, PvperfError, Unsupported, explain, missing
from emulator.terminal.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


# Errors of the system that come from writing, as far as a name does not tell.
_OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EROFS)

#: Where commands are that are not here.
_ROOMS = dict.fromkeys(("completion", "help", "man"), "emulator.cli.manual")


def main(argv: list[str] | None = None) -> int:
    """Runs one command with the arguments `argv` (default: those of the process) and returns its exit status."""
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files come out as they are
    try:
        _end_in_order_by(signal.SIGTERM, signal.SIGHUP)
        status = _dispatch(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return status
    except PvperfError as error:
        _complain(str(error), error.details)
        return error.exit_status
    except Killed as killed:
        _die_by(killed.signum)
    except KeyboardInterrupt:
        _die_by(signal.SIGINT)
    except BrokenPipeError:
        _die_by(signal.SIGPIPE)
    except OSError as error:
        _drop_output()
        _complain(_failure(error))
        return HostError.exit_status
    except ImportError as error:
        _complain(missing(error))
        return Unsupported.exit_status
    except MemoryError:
        _complain("out of memory (free some, or raise ulimit -v or the container's limit)")
        return HostError.exit_status
    except RuntimeError as error:
        if "start new thread" not in str(error):  # Python has no errno of it, nor a type
            raise
        _complain("cannot start a thread (a limit of processes, threads or memory: raise ulimit -u, -v)")
        return HostError.exit_status


def _failure(error: OSError) -> str:
    """What a call that is not expected to fail says. Without a file, it may be a print()."""
    if error.errno == errno.ENOENT and _is_lost():
        return "the current directory is gone: cd to one that is there"
    if error.filename is not None or error.errno == errno.ENOENT:  # tempfile's, which lists where it has tried
        return explain(error)
    return f"cannot {'write stdout' if error.errno in _OF_OUTPUT else 'go on'}: {explain(error)}"


def _is_lost() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _end_in_order_by(*signals: int) -> None:
    """These end a command as Ctrl-C does: its children and temporary files go first. A command may do better."""

    def end(signum: int, _: object) -> NoReturn:
        raise Killed(signum)

    for signum in signals:
        if signal.getsignal(signum) == signal.SIG_DFL:  # nohup ignores it, and a caller may have a handler
            signal.signal(signum, end)


def _open_closed_streams() -> None:
    """A standard stream that the caller closed becomes /dev/null: no file may get its number, nor anybody trip."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_RDWR) < number:
                pass
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _drop_output() -> None:
    """What is left for stdout goes nowhere if it cannot be written: the interpreter would try again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(argv: list[str]) -> int:
    from importlib import import_module

    from emulator.cli.options.parse import parse

    try:
        arguments = parse(argv)
    except SystemExit as done:  # a help was printed, or the version
        return int(done.code or 0)
    name = arguments.command
    module = "emulator.bench" if name == "bench" else f"{_ROOMS.get(name, 'emulator.cli')}.{name}_command"
    return int(import_module(module).main(arguments))


def _complain(sentence: str, details: str = "") -> None:
    lines = [f"pvperf: {sentence}", *details.splitlines()]
    with contextlib.suppress(OSError):  # nobody is left to hear it; the exit status still says it
        print("\n".join(map(printable, lines)), file=sys.stderr, flush=True)


def _die_by(signum: int) -> NoReturn:
    """Ends the process by a signal, so that a shell or a script sees what happened."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signum,))
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)
