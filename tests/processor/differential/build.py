# SPDX-License-Identifier: GPL-2.0-only
"""The tester's two programs, of the same sources: one for the processor, one for a guest."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.guest.build import build_guests, find_compiler

HERE = Path(__file__).resolve().parent
COMMON = [*sorted((HERE / "cases").glob("*.c")), HERE / "report.c", HERE / "run.c"]
#: Both: handlers run on the vectors of a case.
FLAGS = ("-Werror", "-mgeneral-regs-only")
NATIVE_FLAGS = (
    *("-std=c11", "-D_GNU_SOURCE", "-O2", "-g1", "-Wall", "-Wextra", "-fno-stack-protector", "-fcf-protection=none"),
    *("-fPIE", "-static-pie"),  # high, where no case looks
)


@dataclass(frozen=True)
class Programs:
    """Where they are."""

    native: Path
    guest: Path


def build(folder: Path, extra: Sequence[str] = ()) -> Programs:
    """Compiles both into `folder`; `extra` is for the native one alone."""
    programs = Programs(folder / "native", folder / "guest.elf")
    sources = [HERE / "native.c", *COMMON]
    subprocess.run(
        [*find_compiler(), *NATIVE_FLAGS, *FLAGS, *extra, *map(str, sources), "-o", str(programs.native)], check=True
    )
    build_guests({programs.guest: [HERE / "guest.c", HERE / "enter.S", *COMMON]}, extra=FLAGS)
    return programs
