# SPDX-License-Identifier: GPL-2.0-only
"""Files of this system for the guest: one more archive behind its first file system."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from emulator.errors import UsageError, cannot
from emulator.guest.linux.cpio import Entry, archive


def added(paths: Iterable[str], *, below: str) -> bytes:
    """An archive of these files, and of directories with all that is in them, in the folder `below`. UsageError for
    what is not there, or is neither.
    """
    return archive(entry for path in paths for entry in _entries(path, f"{below}/{_name(path)}"))


def _name(path: str) -> str:
    return os.path.basename(os.path.abspath(path)) or "root"


def _entries(path: str, name: str) -> Iterator[Entry]:
    """Links stay links, but one that was named itself; modes stay, owners do not."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            yield Entry(name, status.st_mode)
            for below in sorted(os.listdir(path)):
                inner = os.path.join(path, below)
                if os.path.islink(inner):
                    yield Entry(f"{name}/{below}", stat.S_IFLNK | 0o777, os.fsencode(os.readlink(inner)))
                else:
                    yield from _entries(inner, f"{name}/{below}")
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as stream:
                yield Entry(name, status.st_mode, stream.read())
        else:
            raise UsageError(f"{path!r} is neither a file nor a directory, and cannot be added")
    except OSError as error:
        raise cannot(f"add {path!r}", error) from None
    except ValueError as error:
        raise UsageError(f"cannot add {path!r}: {error}") from None
