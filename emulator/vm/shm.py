# SPDX-License-Identifier: GPL-2.0-only
"""The one shared-memory segment of a VM: its VM page, the run pages, and guest RAM.

The host creates it, maps it and takes its name away at once; vCPU processes inherit the mapping. So the name
lives for microseconds. Should the host die in just that moment, the front end, which chose the name, removes it.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Iterable

import posix_ipc

PAGE_BYTES = mmap.PAGESIZE
DIRECTORY = "/dev/shm"


def choose_name() -> str:
    """A name that no other VM has, in /dev/shm and with this process in it."""
    return f"/pvperf-{os.getpid()}-{os.urandom(8).hex()}"


def create_segment(name: str) -> posix_ipc.SharedMemory:
    """A new segment, of no bytes. OSError with the directory, of which posix_ipc's own errors are none."""
    try:
        return posix_ipc.SharedMemory(name, flags=posix_ipc.O_CREX, mode=0o600)
    except posix_ipc.PermissionsError:
        number = errno.EACCES
    except posix_ipc.ExistentialError:  # nobody else has the name: where it should be is not there
        number = errno.ENOENT
    except OSError as error:
        number = error.errno or errno.EIO
    raise OSError(number, os.strerror(number), DIRECTORY)


def map_segment(name: str, size: int) -> tuple[mmap.mmap, int]:
    """`size` bytes of zeroed shared memory that no name leads to any more, and a descriptor that can only read them.

    OSError if it cannot be had.
    """
    segment = create_segment(name)
    try:
        os.ftruncate(segment.fd, size)
        return mmap.mmap(segment.fd, size), posix_ipc.SharedMemory(name, read_only=True).fd
    finally:
        segment.close_fd()
        segment.unlink()


def forget_segment(reader: int) -> None:
    """Closes every descriptor of this process that leads to the segment which `reader` reads: what is mapped stays."""
    segment = os.fstat(reader)
    for fd in _descriptors():
        with contextlib.suppress(OSError):  # that of the listing itself is gone
            if os.path.samestat(os.fstat(fd), segment):
                os.close(fd)


def _descriptors() -> Iterable[int]:
    """All that may be open, where there is no /proc to ask."""
    try:
        return map(int, os.listdir("/proc/self/fd"))
    except OSError:
        return range(min(os.sysconf("SC_OPEN_MAX"), 1 << 16))  # none is higher, whatever the limit is


def remove_name(name: str) -> bool:
    """Takes away the name that a dead host may have left; True if it was there."""
    try:
        posix_ipc.unlink_shared_memory(name)
    except (posix_ipc.Error, OSError):  # there is none, or there could be none
        return False
    return True
