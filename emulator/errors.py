# SPDX-License-Identifier: GPL-2.0-only
"""Typed errors. Each is one clear sentence, and knows the exit status that the command line gives it."""

from __future__ import annotations

import errno

TYPE_CHECKING = False  # importing typing takes longer than the rest of a fast command
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar


class PvperfError(Exception):
    """Base of all that pvperf raises on purpose: one sentence. `details` are lines that another program said of it."""

    exit_status: ClassVar[int] = 1
    statistics: Mapping[str, int] = {}  # the host's, where a VM had ended and it could still tell

    def __init__(self, sentence: str, *, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details


class UsageError(PvperfError):
    """What the user asked for makes no sense, or names something that does not exist."""

    exit_status = 2


class GuestTimeout(PvperfError):
    """The guest ran longer than it was allowed to. Of the command line alone: in Python that is a Result."""

    exit_status = 124


class GuestError(PvperfError):
    """The guest cannot go on, by what it did itself; it gave no exit status."""

    exit_status = 123


class GuestShutdown(GuestError):
    """A vCPU's guest ended in a triple fault, or ran out of RAM."""


class AllHalted(GuestError):
    """Every vCPU is parked in HLT, and nothing can wake one."""


class GuestPanicked(GuestError):
    """The guest's kernel has panicked. `details` are the last lines of its console."""


class HostError(PvperfError):
    """The host cannot go on: a fault of its own, or of what it runs on."""

    exit_status = 125


class HostPanic(HostError):
    """A broken invariant of the host core: it says who did what, on which vCPU."""


class OutOfMemory(HostError):
    """The host had no memory for the guest's request; the guest was not told of success."""


class HostDied(HostError):
    """The host process is gone."""


class VcpuDied(HostError):
    """A vCPU process is gone."""


class Unsupported(PvperfError):
    """Known, but not on this machine or in this version."""

    exit_status = 126


class DataError(PvperfError):
    """A recorded file is damaged, or holds what this version cannot read."""


class Killed(BaseException):
    """The command is over, and the process shall end by the signal that ended it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


#: What is behind an error of the system where pvperf meets it, and what to do.
_BEHIND = {
    errno.EMFILE: "raise ulimit -n",
    errno.ENFILE: "the machine's limit: fs.file-max",
    errno.EAGAIN: "a limit of processes, threads or memory: raise ulimit -u, -v, or the container's",
    errno.ENOMEM: "free some memory, or raise ulimit -v or the container's limit",
    errno.EFBIG: "raise ulimit -f",
    errno.EPERM: "does a sandbox forbid it?",
    errno.ENOSYS: "an old kernel, or does a sandbox forbid it?",
}


def missing(error: ImportError) -> str:
    """What is to be done about a module that cannot be imported."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "emulator"):
        return f"pvperf is not installed as a whole ({error}): reinstall it"
    package = {"elftools": "pyelftools"}.get(name, name)
    return f"the Python package {package} cannot be loaded ({error}): pip install {package}"


def cannot(what: str, error: OSError) -> PvperfError:
    """The error to raise where the system says no to what the user has named: HostError if that is not to blame."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return HostError(f"cannot {what}: {explain(OSError(error.errno, error.strerror))}")
    return UsageError(f"cannot {what}: {error.strerror or error}")


def explain(error: OSError) -> str:
    """What the system said, with what is behind it where that is known."""
    behind = f" ({_BEHIND[error.errno]})" if error.errno in _BEHIND else ""
    return (f"{error.filename}: " if error.filename else "") + (error.strerror or str(error)) + behind
