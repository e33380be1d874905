# SPDX-License-Identifier: GPL-2.0-only
"""Builds each program once, as an image of bytes at a fixed address, and the two loaders that run images."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from emulator.guest.build import build_guests, find_compiler

HERE = Path(__file__).resolve().parent
LOADER = HERE / "loader"
NOTHING = HERE / "nothing.c"

#: As a distribution compiles, but for what needs a system; nothing that changes results.
FLAGS = (
    "-std=gnu11",
    "-ffreestanding",
    "-fno-pie",
    "-fno-pic",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
    "-fno-math-errno",
    "-Wall",
    "-Wextra",
    "-Werror",
    f"-I{HERE}",
    f"-I{LOADER}",
)
LINK = ("-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,-z,noexecstack")

_FEATURES = {
    "x86-64": set[str](),
    "x86-64-v2": {"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"},
    "x86-64-v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
}
MARCHES = tuple(_FEATURES)
LEVELS = ("O2", "O3")


@dataclass(frozen=True)
class Build:
    """How programs are compiled."""

    march: str
    optimisation: str

    def __str__(self) -> str:
        return f"{self.march}-{self.optimisation}"

    @property
    def wide(self) -> bool:
        """There are YMM registers."""
        return self.march == "x86-64-v3"


def sources() -> dict[str, Path]:
    """Every program by its name."""
    return {path.stem: path for path in sorted(HERE.glob("*/*.c")) if path.parent != LOADER}


def missing(march: str) -> list[str]:
    """What the processor that this runs on lacks for such code."""
    line = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    return sorted(_FEATURES[march] - set(line.split()))


def run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def build_native(folder: Path, name: str = "native") -> Path:
    """The loader that steps, or another program of its room."""
    flags = ("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-no-pie", "-Wall", "-Wextra", "-Werror", f"-I{LOADER}")
    run(*find_compiler(), *flags, LOADER / f"{name}.c", "-o", folder / name)
    return folder / name


def build_images(folder: Path, build: Build, names: Sequence[str]) -> list[Path]:
    """An image of the program that does nothing, and of each of these; beside each is its ELF, for a debugger."""
    flags = (*find_compiler(), *FLAGS, f"-{build.optimisation}", f"-march={build.march}", "-g")
    library = folder / "library.o"
    run(*flags, "-c", LOADER / "library.c", "-o", library)
    known = sources()

    def one(source: Path) -> Path:
        elf, image = folder / f"{source.stem}.program.elf", folder / f"{source.stem}.image"
        run(*flags, *LINK, "-T", LOADER / "image.ld", LOADER / "image.S", source, library, "-lgcc", "-o", elf)
        run("objcopy", "-O", "binary", elf, image)
        return image

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, [NOTHING, *(known[name] for name in names)]))


def build_guest(folder: Path, images: Sequence[Path]) -> Path:
    """The loader that counts, with these images in it."""
    text = "\t.section .rodata\n\t.globl images, images_n\n\t.balign 8\nimages:\n"
    text += "".join(f"\t.quad begin_{i}, end_{i}\n" for i in range(len(images)))
    text += f"images_n: .quad {len(images)}\n"
    for i, image in enumerate(images):
        text += f'\t.balign 64\nbegin_{i}: .incbin "{image}"\nend_{i}:\n'
    embedded, elf = folder / "images.S", folder / "guest.elf"
    embedded.write_text(text + '\t.section .note.GNU-stack, "", @progbits\n')
    build_guests({elf: [LOADER / "guest.c", embedded]}, extra=("-Werror", f"-I{LOADER}"))
    return elf
