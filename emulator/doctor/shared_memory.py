# SPDX-License-Identifier: GPL-2.0-only
"""POSIX shared memory, in which a VM lives, and futexes, on which its processes wait for each other."""

from __future__ import annotations

import os
import re
import stat
import threading
from pathlib import Path

from emulator.doctor.finding import Finding
from emulator.errors import explain

DIRECTORY = Path("/dev/shm")
_LEAST_MIB = 64
_OURS = re.compile(r"pvperf-(\d+)-[0-9a-f]{16}")


_REMEDY = f"mount a tmpfs there: mount -t tmpfs -o mode=1777 tmpfs {DIRECTORY}"


def check_space() -> Finding:
    """How much RAM guests can have, and that everyone may create, but not remove another's."""
    try:
        space = os.statvfs(DIRECTORY)
        mode = stat.S_IMODE(DIRECTORY.stat().st_mode)
    except OSError as error:
        return Finding("shared memory", "bad", f"{explain(error)}: {_REMEDY}")
    free = space.f_bavail * space.f_frsize >> 20
    text = f"{free} MiB free in {DIRECTORY}, mode {mode:04o}"
    if not os.access(DIRECTORY, os.W_OK | os.X_OK):
        return Finding("shared memory", "bad", f"{text}: this user cannot create segments there; {_REMEDY}")
    if free < _LEAST_MIB:
        return Finding("shared memory", "bad", f"{text}: a VM of {_LEAST_MIB} MiB does not fit; free space there")
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return Finding("shared memory", "note", f"{text}: without the sticky bit, others may remove segments")
    return Finding("shared memory", "ok", text)


def check_posix() -> Finding:
    """Creates, maps and removes a segment as a VM does, and looks at its mode while it exists."""
    import mmap

    from emulator.vm.shm import choose_name, create_segment

    try:
        segment = create_segment(choose_name())
    except OSError as error:
        return Finding("posix shm", "bad", f"no segment can be created: {explain(error)}; {_REMEDY}")
    try:
        mode = stat.S_IMODE(os.fstat(segment.fd).st_mode)
        os.ftruncate(segment.fd, mmap.PAGESIZE)
        os.posix_fallocate(segment.fd, 0, mmap.PAGESIZE)  # or a full directory would be a SIGBUS
        with mmap.mmap(segment.fd, mmap.PAGESIZE) as mapping:
            mapping[0] = 1
    finally:
        segment.close_fd()
        segment.unlink()
    if mode & 0o077:
        return Finding("posix shm", "bad", f"a new segment has mode {mode:04o}: others could read a guest's RAM")
    return Finding("posix shm", "ok", f"created with mode {mode:04o}, mapped, written, removed")


def check_leftovers() -> Finding:
    """Removes segments whose process was killed in the moment between naming and unlinking them."""
    removed = 0
    for path in DIRECTORY.glob("pvperf-*"):
        match = _OURS.fullmatch(path.name)
        if match and path.stat().st_uid == os.getuid() and not _lives(int(match[1])):
            path.unlink(missing_ok=True)
            removed += 1
    text = f"{removed} stale segments of killed VMs removed" if removed else "no stale segments"
    return Finding("leftovers", "note" if removed else "ok", text)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another's
        return True
    return True


def check_futex() -> Finding:
    """Two threads hand a word to and fro, and sleep in between, as a vCPU and its host thread do."""
    from emulator.native import load_core

    core = load_core()
    rounds = 1000
    word = core.ffi.new("uint32_t *")
    took: list[int] = []
    # Without spinning, so that both really sleep.
    other = threading.Thread(target=lambda: took.append(core.lib.pingpong_play(word, 1, rounds, 0)))
    other.start()
    took.append(core.lib.pingpong_play(word, 0, rounds, 0))
    other.join()
    if not all(took):
        return Finding("futex", "bad", "a sleeping thread was not woken within 5 s")
    return Finding("futex", "ok", f"{max(took) / rounds / 1000:.1f} us to a sleeping thread and back")
