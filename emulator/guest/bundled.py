# SPDX-License-Identifier: GPL-2.0-only
"""The guests that come with the package, and how a name or a path becomes an ELF file."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from emulator.errors import UsageError
from emulator.places import PACKAGE

# guest.h: GUEST_DESCRIPTION() puts this, and the text up to a NUL, among the ELF's constants.
_MARKER = b"guest-description: "

_SOURCES = (".c", ".S", ".s")

GUEST_DIRECTORY = Path(PACKAGE) / "data" / "guests"
"""Where the installation puts the bundled ELF files."""


def describe_guest(path: Path) -> str:
    """The one-line description that a guest built against the runtime carries; empty if it has none.

    Raises:
        OSError: the file cannot be read.
    """
    _, found, rest = path.read_bytes().partition(_MARKER)
    return rest.partition(b"\0")[0].decode("utf-8", "replace") if found else ""


class _Bundled(Mapping[str, str]):
    """Name to description, read from the packaged files when asked, not at import."""

    def __getitem__(self, name: str) -> str:
        path = GUEST_DIRECTORY / f"{name}.elf"
        if name not in self:
            raise KeyError(name)
        return describe_guest(path)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and "/" not in name and os.path.isfile(GUEST_DIRECTORY / f"{name}.elf")

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in GUEST_DIRECTORY.glob("*.elf")))

    def __len__(self) -> int:
        return sum(1 for _ in GUEST_DIRECTORY.glob("*.elf"))


BUNDLED: Mapping[str, str] = _Bundled()
"""Every bundled guest: its name, and what it does."""


def find_guest(name_or_path: str) -> Path:
    """The ELF file of a bundled guest's name, or the path itself.

    A word without a slash is a bundled name first, then a file in the current directory.

    Raises:
        UsageError: neither a bundled guest nor a file; names what is close.
    """
    if not name_or_path:
        raise UsageError("no guest was named")
    if name_or_path in BUNDLED:
        return GUEST_DIRECTORY / f"{name_or_path}.elf"
    path = Path(name_or_path)
    refuse_source(name_or_path)
    if os.path.isfile(path):  # no name is too long to ask, as it is for Path.is_file()
        return path
    if os.path.exists(path):
        raise UsageError(f"{name_or_path} is not a file")
    raise UsageError(f"no such guest: {name_or_path}{_hint(name_or_path)}")


def refuse_source(name: str) -> None:
    """UsageError, with how to build it, for the name of a C or assembly file."""
    path = Path(name)
    if path.suffix in _SOURCES:
        command = f"pvperf guests build {shlex.quote(name)} -o {shlex.quote(f'{path.stem}.elf')}"
        raise UsageError(f"{name} is source, and no guest yet: build one with {command}")


def _hint(name: str) -> str:
    names = list(BUNDLED)
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return f" (did you mean {' or '.join(close)}?)"
    if not names:
        return " (no guests are installed: reinstall the package with a C compiler at hand)"
    return f" (bundled guests: {', '.join(names)})"
