# SPDX-License-Identifier: GPL-2.0-only
"""Where a command's results go: a stream, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from types import TracebackType

from emulator.errors import HostError, UsageError


class Output:
    """Text or bytes for FILE, `-` (stdout) or None (stderr). What cannot be written is known on entry, before any work.

    A regular file appears, or changes, at the end of the `with` statement, and only if something was written.
    """

    def __init__(self, name: str | None, *, append: bool = False) -> None:
        self._name = name
        self._append = append
        self._data = bytearray()
        self._partial: str | None = None

    def __enter__(self) -> Output:
        if self._name not in (None, "-") and not _is_special(self._name):
            self._path = os.path.realpath(self._name)
            try:
                descriptor, self._partial = tempfile.mkstemp(prefix=".pvperf-", dir=os.path.dirname(self._path))
                os.close(descriptor)
            except OSError as error:
                raise UsageError(f"cannot write {self._name}: {error.strerror}") from None
        return self

    def write(self, data: str | bytes) -> None:
        """Adds to what will be written."""
        self._data += os.fsencode(data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._data:
                self._commit()
        except BrokenPipeError:
            raise
        except OSError as problem:
            raise HostError(f"cannot write {self._name or 'to stderr'}: {problem.strerror}") from None
        finally:
            if self._partial is not None:
                os.unlink(self._partial)

    def _commit(self) -> None:
        if self._name is None:
            print(os.fsdecode(bytes(self._data)), end="", file=sys.stderr, flush=True)
        elif self._name == "-":
            sys.stdout.flush()
            sys.stdout.buffer.write(self._data)
            sys.stdout.flush()
        elif self._partial is None:
            with open(self._name, "ab" if self._append else "wb") as file:
                file.write(self._data)
        else:
            self._replace(self._partial)
            self._partial = None

    def _replace(self, partial: str) -> None:
        """Fills the temporary file, gives it the old one's mode or a new file's, and puts it in the old one's place."""
        exists = os.path.exists(self._path)
        with open(partial, "wb") as file:
            if self._append and exists:
                with open(self._path, "rb") as old:
                    file.write(old.read())
            file.write(self._data)
            os.fchmod(file.fileno(), stat.S_IMODE(os.stat(self._path).st_mode) if exists else 0o666 & ~_umask())
        os.replace(partial, self._path)


def _is_special(name: str | None) -> bool:
    """A pipe, a terminal, /dev/fd/3: it is written, not replaced. UsageError for a directory."""
    assert name is not None
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return False
    if stat.S_ISDIR(mode):
        raise UsageError(f"cannot write {name}: it is a directory")
    return not stat.S_ISREG(mode)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
