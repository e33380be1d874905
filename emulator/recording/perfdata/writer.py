# SPDX-License-Identifier: GPL-2.0-only
"""Writes a perf.data file that can be read at any moment, whoever is killed.

In the file: header, ids, attrs, data, and right behind the data the features. The header alone says how far the data
reach, so that what lies behind them does not matter. A checkpoint first takes the features out of the header, because
the new data are about to overwrite them; when data and features are in place, the header is written anew.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Sequence

from emulator.files import Files, Growing, cannot_write
from emulator.recording.perfdata import features, layout
from emulator.recording.perfdata.features import BuildId, Machine, RecordedEvent

_MODE = 0o600  # as perf has it: what a guest does is nobody else's concern


class PerfDataWriter:
    """A file under construction. What is appended is in the file from the next checkpoint on."""

    def __init__(
        self,
        path: str,
        *,
        machine: Machine,
        events: Sequence[RecordedEvent],
        build_ids: Sequence[BuildId] = (),
        files: Files | None = None,
    ) -> None:
        """Makes an empty recording, which place() puts at `path`, one of the command's `files`. PvperfError if that
        cannot be."""
        self.path = path
        self.first_ns = self.last_ns = 0  # times of samples: the caller's to keep
        self._machine = machine
        self._events = tuple(events)
        self._build_ids = tuple(build_ids)
        self._pending: list[bytes] = []
        head = self._head()
        self._data_offset = self._data_end = len(head)
        self._file = Growing(files or Files(), path, mode=_MODE, regular=True)
        self._fd = self._file.fd
        try:
            _write(self._fd, head, 0)
            self._finish_file(self._fd)
        except BaseException as error:
            self._file.close()
            if isinstance(error, OSError):
                raise cannot_write(path, error) from None
            raise

    def _head(self) -> bytes:
        """The header's place, the ids and the attrs."""
        at = layout.HEADER.size
        ids, attrs = b"", b""
        for event in self._events:
            attrs += event.attr.pack() + layout.SECTION.pack(at + len(ids), 8 * len(event.ids))
            ids += struct.pack(f"<{len(event.ids)}Q", *event.ids)
        self._attrs_offset = at + len(ids)
        return bytes(at) + ids + attrs

    @property
    def size(self) -> int:
        """Bytes of data, those included that wait for the next checkpoint."""
        return self._data_end - self._data_offset + sum(map(len, self._pending))

    def place(self) -> None:
        """Puts the recording at its path, unless it is there; what was there becomes `path`.old. HostError."""
        self._file.place()

    @property
    def placed(self) -> bool:
        """Is it at its path?"""
        return self._file.placed

    def abandon(self) -> None:
        """Ends a recording that is not to be: unless it was placed, nothing is left of it."""
        self._file.close()

    def append(self, data: bytes) -> None:
        """Adds whole records."""
        self._pending.append(data)

    def checkpoint(self) -> None:
        """Makes the file hold all that was appended. HostError if it cannot: that is left out of it, then."""
        try:
            if self._pending:
                data = b"".join(self._pending)
                self._write_header(self._fd, bits=())
                _write(self._fd, data, self._data_end)
                self._data_end += len(data)
                self._pending.clear()
            self._finish_file(self._fd)
        except OSError as error:
            self._pending.clear()
            with contextlib.suppress(OSError):  # what was there is as good as it was
                self._finish_file(self._fd)
            raise cannot_write(self.path, error) from None

    def _finish_file(self, fd: int) -> None:
        payloads = features.encode(self._machine, self._events, self._build_ids, (self.first_ns, self.last_ns))
        _write(fd, features.place(payloads, self._data_end), self._data_end)
        self._write_header(fd, bits=tuple(payloads))

    def _write_header(self, fd: int, *, bits: Sequence[int]) -> None:
        attrs = (self._attrs_offset, self._data_offset - self._attrs_offset)
        data = (self._data_offset, self._data_end - self._data_offset)
        attr_bytes = layout.ATTR_BYTES + layout.SECTION.size
        words = features.bitmap(bits)
        _write(fd, layout.HEADER.pack(layout.MAGIC, layout.HEADER.size, attr_bytes, *attrs, *data, 0, 0, *words), 0)

    def close(self) -> None:
        """The last checkpoint, and the end. HostError as from checkpoint(); the file is closed in any case."""
        try:
            self.place()
            self.checkpoint()
        finally:
            self.abandon()


def _write(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done
