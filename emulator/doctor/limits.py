# SPDX-License-Identifier: GPL-2.0-only
"""What the user's limits and the mounted file systems leave of what pvperf needs."""

from __future__ import annotations

import os
import resource
import tempfile

from emulator.doctor.finding import Finding

# What a VM takes: descriptors of its host for itself and for each vCPU, and address space of each process, bytes.
_DESCRIPTORS, _DESCRIPTORS_PER_VCPU = 24, 2
_PROCESS_BYTES = 512 << 20
_RAM_BYTES = 64 << 20


def check_limits() -> Finding:
    """ulimit -n, -v and -f, as far as they are in the way; the others show when a VM is started."""
    files, space, size = (resource.getrlimit(limit)[0] for limit in _LIMITS)
    vcpus = 64 if files < 0 else min(64, (files - _DESCRIPTORS) // _DESCRIPTORS_PER_VCPU)
    wrong = []
    if vcpus < 1:
        wrong.append(f"ulimit -n is {files}, and a VM needs {_DESCRIPTORS + _DESCRIPTORS_PER_VCPU}")
    if 0 <= space < _PROCESS_BYTES:
        wrong.append(f"ulimit -v is {space >> 10} KiB, and a process of a VM of 64 MiB needs {_PROCESS_BYTES >> 10}")
    if 0 <= size < _RAM_BYTES:
        wrong.append(f"ulimit -f is {size >> 10} KiB, and guest RAM is a file of {_RAM_BYTES >> 10}")
    if wrong:
        return Finding("limits", "bad", f"{'; '.join(wrong)}: raise {'it' if len(wrong) == 1 else 'them'}")
    return Finding("limits", "ok", f"ulimit -n lets a VM have {vcpus} vCPUs; -v and -f are not in the way")


_LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_FSIZE)


def check_file_systems() -> Finding:
    """/proc, of which `bench` and `stress` read; a directory for temporary files, for `guests build`."""
    missing = []
    if not os.path.exists("/proc/self/stat"):
        missing.append("/proc is not mounted: no figures of memory, and no bench (mount -t proc proc /proc)")
    try:
        folder = tempfile.gettempdir()
    except OSError:
        missing.append("no directory for temporary files can be written: name one in TMPDIR; guests build needs it")
        folder = ""
    if missing:
        return Finding("file systems", "note", "; ".join(missing))
    return Finding("file systems", "ok", f"/proc is there; temporary files go to {folder}")
