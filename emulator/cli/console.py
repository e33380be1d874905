# SPDX-License-Identifier: GPL-2.0-only
"""The console of a Linux guest on this process' stdin and stdout.

On a terminal every key goes to the guest, Ctrl-C included; ^A begins what is for pvperf. Of a pipe or a file each byte
goes to the guest, and its end is a ^D.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import signal
import termios
from collections.abc import Callable
from types import TracebackType
from typing import Any

_ESCAPE, _END_OF_FILE = b"\x01", b"\x04"
_HELP = b"\r\n^A x  end the VM\r\n^A ^A  send ^A\r\n^A h  this help\r\n"


class Keys(io.RawIOBase):
    """stdin, as what is typed. `leave` is called for ^A x; `say` gets bytes for the terminal."""

    def __init__(self, fd: int, *, leave: Callable[[], None], say: Callable[[bytes], object]) -> None:
        super().__init__()
        self._fd = fd
        self._leave = leave
        self._say = say
        self._escaped = False

    def fileno(self) -> int:
        """Of stdin."""
        return self._fd

    def read(self, size: int = -1, /) -> bytes | None:
        """What goes to the guest; None if nothing of it does. b"" once the terminal is gone."""
        data = os.read(self._fd, max(size, 1))
        return (self.translate(data) or None) if data else b""

    def translate(self, data: bytes) -> bytes:
        """Takes out what is for pvperf, and does it."""
        kept = bytearray()
        for key in (data[at : at + 1] for at in range(len(data))):
            if not self._escaped:
                self._escaped = key == _ESCAPE
                kept += b"" if self._escaped else key
                continue
            self._escaped = False
            if key == _ESCAPE:
                kept += key
            elif key in b"xX":
                self._leave()
            elif key in b"hH?":
                self._say(_HELP)
        return bytes(kept)


class Script(io.RawIOBase):
    """stdin, as a pipe or a file: at its end a ^D. Behind a line that has no end there are three: one hands it over,
    one is its end, and a shell that has executed it wants to hear of the end once more.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._last = b"\n"
        self._over = False

    def fileno(self) -> int:
        """Of stdin."""
        return self._fd

    def read(self, size: int = -1, /) -> bytes:
        """What goes to the guest; b"" behind its end."""
        if self._over:
            return b""
        data = os.read(self._fd, max(size, 1))
        if data:
            self._last = data[-1:]
            return data
        self._over = True
        return _END_OF_FILE if self._last == b"\n" else _END_OF_FILE * 3


def _is_nothing(fd: int) -> bool:
    """Is it /dev/null? Then there is no keyboard: its end would be typed at another moment in each boot."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(os.devnull))
    except OSError:  # it is closed
        return False


class Console:
    """Use it in a `with` statement: a terminal is itself again behind it, whatever happens."""

    def __init__(
        self,
        *,
        leave: Callable[[], None],
        say: Callable[[bytes], object],
        fd: int = 0,
        foreground: Callable[[int], bool] = lambda fd: os.tcgetpgrp(fd) == os.getpgrp(),
    ) -> None:
        """`leave` and `say` as Keys has them. Reads nothing yet.

        `fd` is stdin. Who is not in the `foreground` of a terminal, as a shell's background job, has no keyboard.
        """
        self._fd = fd
        self._before: list[Any] | None = None
        self._continued: Any = None
        self.is_terminal = os.isatty(fd)
        self.is_nothing = _is_nothing(fd)
        self.source: io.RawIOBase | None = None
        if not self.is_terminal:
            self.source = None if self.is_nothing else Script(fd)
        elif foreground(fd):
            self.source = Keys(fd, leave=leave, say=say)

    def __enter__(self) -> Console:
        if isinstance(self.source, Keys):
            self._before = termios.tcgetattr(self._fd)
            atexit.register(self._restore)
            self._make_raw()
            self._continued = signal.signal(signal.SIGCONT, lambda *_: self._make_raw())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before:
            signal.signal(signal.SIGCONT, self._continued or signal.SIG_DFL)
            self._restore()
            atexit.unregister(self._restore)
            self._before = None

    def _make_raw(self) -> None:
        """Keys come at once, as they are, and are not shown; what is written keeps its line ends."""
        if not self._before:
            return
        iflag, oflag, cflag, lflag, ispeed, ospeed, cc = self._before
        iflag &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.ISTRIP | termios.BRKINT)
        lflag &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        cc = [*cc]
        cc[termios.VMIN], cc[termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSADRAIN, [iflag, oflag, cflag, lflag, ispeed, ospeed, cc])

    def _restore(self) -> None:
        if self._before:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
