# SPDX-License-Identifier: GPL-2.0-only
"""The one shared-memory segment of a VM: its VM page, the run pages, and guest RAM.

The host creates it, maps it and takes its name away at once; vCPU processes inherit the mapping. So the name
lives for microseconds. Should the host die in just that moment, the front end, which chose the name, removes it.
"""

from __future__ import annotations

import mmap
import os

import posix_ipc

PAGE_BYTES = mmap.PAGESIZE


def choose_name() -> str:
    """A name that no other VM has, in /dev/shm and with this process in it."""
    return f"/pvperf-{os.getpid()}-{os.urandom(8).hex()}"


def map_segment(name: str, size: int) -> mmap.mmap:
    """`size` bytes of zeroed shared memory that no name leads to any more. OSError if it cannot be had."""
    segment = posix_ipc.SharedMemory(name, flags=posix_ipc.O_CREX, mode=0o600)
    try:
        os.ftruncate(segment.fd, size)
        return mmap.mmap(segment.fd, size)
    finally:
        segment.close_fd()
        segment.unlink()


def remove_name(name: str) -> bool:
    """Takes away the name that a dead host may have left; True if it was there."""
    try:
        posix_ipc.unlink_shared_memory(name)
    except posix_ipc.ExistentialError:
        return False
    return True
