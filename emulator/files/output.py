# SPDX-License-Identifier: GPL-2.0-only
"""One output: what it is given is kept until the end, and then written."""

from __future__ import annotations

import os
import sys

from emulator.files.draft import Draft
from emulator.files.errors import cannot_write
from emulator.files.target import Target


class Output:
    """Made by Files. Nothing is changed before Files says so, and nothing at all if it was given nothing."""

    def __init__(self, target: Target, *, append: bool, keep_old: bool) -> None:
        self._target = target
        self._append = append
        self._keep_old = keep_old
        self._data = bytearray()
        self._draft: Draft | None = None
        self.old = ""  # where that is which it replaced, if it was kept

    @property
    def name(self) -> str:
        """As it was given."""
        return self._target.name

    @property
    def is_file(self) -> bool:
        """And no stream or device."""
        return bool(self._target.path)

    def write(self, data: str | bytes) -> None:
        """Adds to what will be written."""
        self._data += os.fsencode(data)

    def prepare(self) -> None:
        """Makes the whole file, but for its name. HostError."""
        if not self._data or not self._target.path:
            return
        try:
            self._draft = Draft(self._target.path)
            self._draft.take_over()
            if self._append and self._target.exists:
                with open(self._target.path, "rb") as old:
                    self._draft.write(old.read())
            self._draft.write(self._data)
            self._draft.sync()
        except OSError as error:
            raise cannot_write(self.name, error) from None

    def publish(self) -> None:
        """Gives it its name. HostError."""
        if not self._draft:
            return
        try:
            if self._keep_old:
                self.old = set_aside(self._target)
            self._draft.publish()
            self._data.clear()
        except OSError as error:
            raise cannot_write(self.name, error) from None

    def pour(self) -> None:
        """Writes to what is no file. HostError; BrokenPipeError if nobody reads it any more."""
        if not self._data or self._target.path:
            return
        try:
            if self._target.fd is None:
                with open(self.name, "ab", buffering=0) as file:
                    _write_all(file.fileno(), self._data)
            else:
                _flush(self._target.fd)
                _write_all(self._target.fd, self._data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise cannot_write(self.name, error) from None
        self._data.clear()

    def close(self) -> None:
        """Nothing is left of what was not published."""
        if self._draft:
            self._draft.close()
            self._draft = None


def set_aside(target: Target) -> str:
    """What is there becomes NAME.old, unless it is empty: where it is now. OSError."""
    try:
        if not os.path.getsize(target.path):
            return ""
    except FileNotFoundError:
        return ""
    os.replace(target.path, f"{target.path}.old")
    return f"{target.path if os.path.islink(target.name) else target.name}.old"


def _flush(fd: int) -> None:
    """What was printed before comes before."""
    for stream in (sys.stdout, sys.stderr):
        if fd == stream.fileno():
            stream.flush()


def _write_all(fd: int, data: bytearray) -> None:
    view = memoryview(data)
    try:
        while view:
            rest = view[os.write(fd, view) :]
            view.release()
            view = rest
    finally:
        view.release()
