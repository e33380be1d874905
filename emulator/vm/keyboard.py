# SPDX-License-Identifier: GPL-2.0-only
"""What is typed on the console of a Linux guest: the front end's side of it, and the host's.

Nothing is lost on the way, however slow the guest: the front end has at most so many bytes under way, and leaves the
rest where it comes from.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from io import RawIOBase
from typing import Any, Protocol

from emulator.errors import HostError, explain

_UNDER_WAY_BYTES = 1 << 14
# Of the UART's interrupts, the one for a byte that is received: IER.
_WANTS_INPUT = 1


class HasFileno(Protocol):
    """As open files, pipes and sockets are; they are read by their descriptor, without any buffer of their own."""

    def fileno(self) -> int:
        """The descriptor."""


class Keyboard:
    """Bytes to be typed, in the front end."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called when there are some, in the thread that brings them."""
        self._wake = wake
        self._typed: deque[bytes] = deque()
        self._source: HasFileno | None = None
        self._under_way = 0

    def type(self, data: bytes) -> None:
        """For any thread."""
        self._typed.append(data)
        self._wake()

    def attach(self, source: HasFileno) -> None:
        """From now on, what can be read from `source` is typed, until its end. An io.RawIOBase is asked by its own
        read(), which may give None; else the descriptor is read. For the thread that is in run(), or before that.
        """
        self._source = source

    @property
    def descriptor(self) -> int:
        """Of the source, to be polled; -1 if there is nothing to be read now."""
        if self._source is None or self._under_way >= _UNDER_WAY_BYTES:
            return -1
        return self._source.fileno()

    def read(self) -> None:
        """The descriptor is readable. HostError if that is not true."""
        source = self._source
        assert source is not None
        try:
            wanted = _UNDER_WAY_BYTES - self._under_way
            data = source.read(wanted) if isinstance(source, RawIOBase) else os.read(source.fileno(), wanted)
        except BlockingIOError:
            return
        except OSError as error:
            raise HostError(f"cannot read what is typed: {explain(error)}") from None
        if data:
            self._typed.append(data)
        elif data is not None:
            self._source = None

    def take(self) -> bytes:
        """What is to be sent now."""
        data = bytearray()
        while self._typed and self._under_way + len(data) < _UNDER_WAY_BYTES:
            data += self._typed.popleft()
        if over := max(self._under_way + len(data) - _UNDER_WAY_BYTES, 0):
            self._typed.appendleft(bytes(data[-over:]))
            del data[-over:]
        self._under_way += len(data)
        return bytes(data)

    def taken(self, count: int) -> None:
        """So many bytes have arrived."""
        self._under_way -= count


class Line:
    """The host's end: from here to the guest's UART."""

    def __init__(self, lib: Any, platform: Any, bell: Any) -> None:
        """`platform` is the struct pv_platform, `bell` that of the vCPU that takes the UART's interrupts."""
        self._lib = lib
        self._platform = platform
        self._bell = bell
        self._waiting = bytearray()

    def add(self, data: bytes) -> None:
        """Bytes that have been typed."""
        self._waiting += data

    @property
    def busy(self) -> bool:
        """Is there something that the guest has not taken?"""
        return bool(self._waiting)

    def pour(self) -> int:
        """Gives the guest what it has room for, once it listens: a driver that begins to throws away what had come
        before. The number of bytes.
        """
        if not self._waiting or not self._platform.devices.uart.ier & _WANTS_INPUT:
            return 0
        target, size = self._platform.input, self._lib.PV_CONSOLE_INPUT
        put: int = target.put
        count: int = min(size - (put - target.taken & 0xFFFF_FFFF), len(self._waiting))
        for index in range(count):
            target.bytes[(put + index) % size] = self._waiting[index]
        del self._waiting[:count]
        if count:
            target.put = put + count & 0xFFFF_FFFF
            self._lib.handover_ring(self._bell)
        return count
