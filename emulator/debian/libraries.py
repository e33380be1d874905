# SPDX-License-Identifier: GPL-2.0-only
"""Which shared libraries a program needs, found in a tree of unpacked packages, never on this system."""

from __future__ import annotations

import os
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from emulator.errors import HostError

_WHERE = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib")


def needed_files(tree: Path, program: str) -> dict[str, Path]:
    """The program, its interpreter and all libraries: by the paths under which they are looked for, without a slash in
    front. HostError names what is missing.
    """
    found: dict[str, Path] = {}
    pending = [program]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = inside(tree, name)
            pending += _needs(tree, found[name])
    return found


def inside(tree: Path, name: str) -> Path:
    """The file that a path means to whoever has `tree` as its root: links in it are followed there, too."""
    for _ in range(16):
        path = tree / name
        if not path.is_symlink():
            if path.exists():
                return path
            break
        name = os.path.normpath(os.path.join("/", os.path.dirname(name), os.readlink(path))).lstrip("/")
    raise HostError(f"{name} is in none of the packages that were fetched")


def _needs(tree: Path, path: Path) -> list[str]:
    try:
        with open(path, "rb") as stream:
            elf = ELFFile(stream)
            needs = [s.get_interp_name().lstrip("/") for s in elf.iter_segments() if isinstance(s, InterpSegment)]
            sections = [s for s in elf.iter_sections() if isinstance(s, DynamicSection)]
            names = [str(tag.needed) for section in sections for tag in section.iter_tags("DT_NEEDED")]  # type: ignore[attr-defined]
    except (OSError, ELFError) as error:
        raise HostError(f"{path} cannot be read: {error}") from None
    return needs + [_locate(tree, name, of=path) for name in names]


def _locate(tree: Path, name: str, *, of: Path) -> str:
    for directory in _WHERE:
        if os.path.lexists(tree / directory / name):
            return f"{directory}/{name}"
    raise HostError(f"{of.name} needs {name}, and it is in none of the packages that were fetched")
