# SPDX-License-Identifier: GPL-2.0-only
"""native/engine/x86, built alone for the tests, and byte strings that reach all of it."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cffi import FFI

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*sorted((ROOT / "native/engine/x86").glob("*.c")), ROOT / "tests/native/decoder/decode_batch.c"]
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'native'}"]
CHECKED = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
STRIDE = 16
LONGEST = 15
BATCH = """
int decode_batch(const struct x86_cpu *cpu, const uint8_t *strings, const uint8_t *sizes, size_t count,
                 struct x86_insn *ret);
"""


def compiler() -> str:
    return shutil.which("cc") or "gcc"


def declarations() -> str:
    """The header, as cffi takes it; native/build_native.py has that for what is installed, too."""
    sys.path.insert(0, str(ROOT / "native"))
    try:
        from build_native import declarations
    finally:
        sys.path.pop(0)
    return str(declarations(["engine/x86/insn.h"])) + BATCH


class Decoder:
    """The decoder as a library in `folder`."""

    def __init__(self, folder: Path) -> None:
        library = folder / "decoder.so"
        command = [compiler(), *FLAGS, *CHECKED, "-shared", "-fPIC", *map(str, SOURCES), "-o", str(library)]
        subprocess.run(command, check=True)
        self.ffi = FFI()
        self.ffi.cdef(declarations())
        self.lib = self.ffi.dlopen(str(library))
        self._arrays: list[Any] = []

    def features(self) -> list[str]:
        """In the order of their bits."""
        names = self.ffi.typeof("enum x86_feature").elements
        return [names[bit].removeprefix("X86_") for bit in range(self.lib.X86_FEATURES)]

    def kinds(self) -> dict[int, str]:
        names = self.ffi.typeof("enum x86_kind").elements
        return {value: name.removeprefix("X86_") for value, name in names.items()}

    def units(self) -> dict[str, int]:
        return {name: value for value, name in self.ffi.typeof("enum x86_unit").elements.items()}

    def cpu(self, features: set[str], *, intel: bool) -> Any:
        order = self.features()
        assert features <= set(order)
        return self.ffi.new(
            "struct x86_cpu *", {"features": sum(1 << order.index(name) for name in features), "intel": intel}
        )

    def decode(self, cpu: Any, strings: list[bytes], sizes: list[int] | None = None) -> Any:
        """An array of struct x86_insn, which lives as long as this does."""
        ret = self.ffi.new("struct x86_insn[]", len(strings))
        self._arrays.append(ret)  # what is taken of it does not keep it
        joined = b"".join(string.ljust(STRIDE, b"\x90")[:STRIDE] for string in strings)
        lengths = bytes(sizes or [STRIDE] * len(strings))
        assert self.lib.decode_batch(cpu, joined, lengths, len(strings), ret) == 0
        return ret


# ---- Byte strings. All are of 16 bytes; what is behind an instruction does not matter.

PREFIXES = ["", "66", "f3", "f2", "48", "41", "44", "6648", "f348", "f248", "66f3", "66f2", "f0", "f048", "67", "65"]
SOUP = [0x66, 0xF2, 0xF3, 0xF0, 0x67, 0x64, 0x65, 0x2E, 0x3E, 0x48, 0x4F, 0x40]
#: Whose ModRM says what they are.
GROUPS = {"": range(0xD8, 0xE0), "0f": (0x00, 0x01, 0x0D, 0x18, 0x1E, 0xAE, 0xC7)}


@dataclass
class Strings:
    """Every `share`-th of all strings, by a seed."""

    seed: int
    share: int = 1

    def __iter__(self) -> Iterator[bytes]:
        dice = random.Random(self.seed)
        for string in self._all(dice):
            if self.share == 1 or dice.randrange(self.share) == 0:
                yield string[:STRIDE].ljust(STRIDE, b"\x90")

    def _all(self, dice: random.Random) -> Iterator[bytes]:
        for opcode in range(256):
            yield from self._legacy(dice, opcode)
            yield from self._vex(dice, opcode)
            yield from self._xop(dice, opcode)
            yield from self._soup(dice, opcode)

    def _legacy(self, dice: random.Random, opcode: int) -> Iterator[bytes]:
        """Each with each prefix; with all of ModRM's digits, or with all its values."""
        for begin in ("", "0f", "0f38", "0f3a"):
            group = opcode in GROUPS.get(begin, ())
            for prefix in PREFIXES:
                head = bytes.fromhex(prefix + begin) + bytes([opcode])
                for modrm in range(256) if group else _modrms(dice):
                    yield head + bytes([modrm]) + dice.randbytes(STRIDE)

    def _vex(self, dice: random.Random, opcode: int) -> Iterator[bytes]:
        for number in range(16):  # W, L and pp
            last = (number & 8) << 4 | number & 7
            for opcode_map in (1, 2, 3, dice.randrange(32)):
                for vvvv in (15, 15, dice.randrange(16)):
                    head = bytes(
                        [0xC4, dice.choice([7, dice.randrange(8)]) << 5 | opcode_map, last | vvvv << 3, opcode]
                    )
                    for modrm in _modrms(dice, few=True):
                        yield head + bytes([modrm]) + dice.randbytes(STRIDE)
        for _ in range(16):
            yield bytes([0xC5, dice.randrange(256), opcode]) + dice.randbytes(STRIDE)

    def _xop(self, dice: random.Random, opcode: int) -> Iterator[bytes]:
        for opcode_map in (8, 9, 10, dice.randrange(32)):
            for last in (0x78, 0xF8, dice.randrange(256)):
                for modrm in _modrms(dice, few=True):
                    yield bytes([0x8F, 7 << 5 | opcode_map, last, opcode, modrm]) + dice.randbytes(STRIDE)

    def _soup(self, dice: random.Random, opcode: int) -> Iterator[bytes]:
        """Prefixes in any order and number, and anything at all."""
        for _ in range(64):
            prefixes = bytes(dice.choice(SOUP) for _ in range(dice.randrange(1, 14)))
            begin = dice.choice(["", "0f", "0f38", "0f3a", "c5f8", "c4e17d"])
            yield prefixes + bytes.fromhex(begin) + bytes([opcode]) + dice.randbytes(STRIDE)
        for _ in range(32):
            yield dice.randbytes(STRIDE)


def _modrms(dice: random.Random, *, few: bool = False) -> Iterator[int]:
    """Each digit, with memory and with a register; a few of them."""
    for digit in dice.sample(range(8), 2) if few else range(8):
        yield dice.randrange(3) << 6 | digit << 3 | dice.randrange(8)
        yield 3 << 6 | digit << 3 | dice.randrange(8)
