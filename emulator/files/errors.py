# SPDX-License-Identifier: GPL-2.0-only
"""How it is said that a file cannot be written, and whose fault it is."""

from __future__ import annotations

import errno

from emulator.errors import HostError, PvperfError, UsageError

#: No file can be where the name says: the user's mistake. All else is the file system's, or its owner's, to mend.
_OF_THE_NAME = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EBADF)


def refused(name: str, why: str) -> UsageError:
    """A name that no output can have."""
    return UsageError(f"cannot write {name}: {why}")


def cannot_open(name: str, error: OSError) -> PvperfError:
    """Before any work is done."""
    kind = UsageError if error.errno in _OF_THE_NAME else HostError
    return kind(f"cannot write {name}: {error.strerror}")


def cannot_write(name: str, error: OSError) -> HostError:
    """Later: it could have been written before."""
    return HostError(f"cannot write {name}: {error.strerror}")
