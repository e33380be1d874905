# SPDX-License-Identifier: GPL-2.0-only
"""What the name of an output stands for: a stream, something special that is written as it is, or a file."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass

from emulator.files.draft import Draft
from emulator.files.errors import cannot_open, refused

#: Of a file that is there: device and inode; of one that is not: those of its directory, and its name.
Identity = tuple[int, int, str]

_DESCRIPTOR = re.compile(r"/proc/(?:self|thread-self|\d+(?:/task/\d+)?)/fd/(\d+)")
_MOST_LINKS = 40  # as Linux follows
NO_FILE = "it is not a regular file"


@dataclass(frozen=True)
class Target:
    """`path` is that of a file, links followed; `fd` a descriptor that the process began with. Neither: special."""

    name: str
    path: str = ""
    fd: int | None = None

    @property
    def exists(self) -> bool:
        return os.path.exists(self.path or self.name)

    def identity(self) -> Identity | None:
        """None for what several may write to."""
        try:
            if self.fd is not None:
                return identity_of(os.fstat(self.fd))
            return identity_of(os.stat(self.path or self.name))
        except OSError:
            folder = os.stat(os.path.dirname(self.path))
            return folder.st_dev, folder.st_ino, os.path.basename(self.path)

    def check(self) -> None:
        """PvperfError if it cannot be written. Nothing is changed."""
        if not self.path:
            return
        try:
            if self.exists:
                os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            with contextlib.closing(Draft(self.path)):
                pass
        except OSError as error:
            raise cannot_open(self.name, error) from None


def identity_of(status: os.stat_result) -> Identity | None:
    """None for a terminal, /dev/null, a socket and such."""
    one_only = stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)
    return (status.st_dev, status.st_ino, "") if one_only else None


def find_target(name: str, *, regular: bool = False) -> Target:
    """UsageError for what no output can be; with `regular`, for all that is no file, too."""
    if not name or (name == "-" and regular):
        raise refused(name or "''", "it names no file")
    if name == "-":
        return Target("stdout", fd=1)
    fd = _descriptor(name)
    try:
        mode = (os.stat(name) if fd is None else os.fstat(fd)).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except OSError as error:
        raise cannot_open(name, error) from None
    if stat.S_ISDIR(mode) or name.endswith("/"):
        raise refused(name, "it is a directory")
    if regular and (fd is not None or not stat.S_ISREG(mode)):
        raise refused(name, NO_FILE)
    if stat.S_ISBLK(mode) or (stat.S_ISSOCK(mode) and fd is None):
        raise refused(name, NO_FILE)
    if fd is not None:
        return Target(name, fd=fd)
    return Target(name, path=os.path.realpath(name)) if stat.S_ISREG(mode) else Target(name)


def _descriptor(name: str) -> int | None:
    """N for /dev/fd/N, /dev/stdout and what leads there: opening these again would be another file, with another
    position."""
    path = os.path.abspath(name)
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(path))
        path = os.path.join(folder, os.path.basename(path))
        if found := _DESCRIPTOR.fullmatch(path):
            own = path.startswith(("/proc/self/", "/proc/thread-self/", f"/proc/{os.getpid()}/"))
            return int(found[1]) if own else None
        try:
            path = os.path.join(folder, os.readlink(path))
        except OSError:
            return None
    return None
