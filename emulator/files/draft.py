# SPDX-License-Identifier: GPL-2.0-only
"""A file in the making, in the directory where it shall be."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time

_NO_SUCH_THING = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)  # what file systems say that have no O_TMPFILE


class Draft:
    """Has no name until it is published, so that nothing is left of it whoever is killed; where the file system cannot
    do that, a hidden one. Everything here may raise OSError."""

    def __init__(self, path: str, *, mode: int = 0o666) -> None:
        """For the file `path`. `mode` is a new file's, less the umask."""
        self.path = path
        self._mode = mode
        self._name = ""
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            self.fd = os.open(os.path.dirname(path), flags | os.O_TMPFILE, mode)
        except OSError as error:
            if error.errno not in _NO_SUCH_THING:
                raise
            self._make_hidden()
        else:
            if not os.path.exists(self._link):  # there is no /proc, and no way to give it a name later
                os.close(self.fd)
                self._make_hidden()

    @property
    def _link(self) -> str:
        return f"/proc/self/fd/{self.fd}"

    def _make_hidden(self) -> None:
        name = self._hidden_name()
        self.fd = os.open(name, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, self._mode)
        self._name = name

    def _hidden_name(self) -> str:
        return os.path.join(os.path.dirname(self.path), f".pvperf-{os.getpid():x}-{time.monotonic_ns():x}")

    def write(self, data: bytes | bytearray) -> None:
        """Adds all of it."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]

    def sync(self) -> None:
        """What was written is on the disk."""
        os.fsync(self.fd)

    def take_over(self) -> None:
        """Mode and owner of the file that it is to replace; the owner as far as that is allowed."""
        try:
            old = os.stat(self.path)
        except FileNotFoundError:
            return
        own = os.fstat(self.fd)
        if (old.st_uid, old.st_gid) != (own.st_uid, own.st_gid):
            with contextlib.suppress(PermissionError):
                os.fchown(self.fd, old.st_uid, old.st_gid)
        os.fchmod(self.fd, stat.S_IMODE(old.st_mode))

    def publish(self) -> None:
        """Puts it in its place, at once. The descriptor stays open."""
        if not self._name:
            with contextlib.suppress(FileExistsError):
                self._give_name(self.path)
                return
            name = self._hidden_name()
            self._give_name(name)
            self._name = name
        os.replace(self._name, self.path)
        self._name = ""

    def _give_name(self, name: str) -> None:
        os.link(self._link, name, src_dir_fd=self.fd)  # with a directory it is linkat(), which follows the link

    def close(self) -> None:
        """Of what was not published nothing is left."""
        os.close(self.fd)
        if self._name:
            with contextlib.suppress(OSError):
                os.unlink(self._name)
            self._name = ""
