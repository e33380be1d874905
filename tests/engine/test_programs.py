# SPDX-License-Identifier: GPL-2.0-only
"""Whole programs, as a compiler makes them, in a guest and on the processor that this runs on, single-stepped.

The same output, registers, memory, instructions and branches. Each is compiled once for both: tests/programs.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from programs.building import LEVELS, MARCHES, Build, build_guest, build_images, build_native, missing, sources
from programs.known import known_differences
from programs.running import Outcome, Result, difference, emulate, step

#: What is tried each time; all the others are for scripts/test -m soak, and scripts/programs.
QUICK = {
    Build("x86-64", "O2"): ("aes_tables", "base64", "blas", "chacha20", "compiler", "extended", "newton"),
    Build("x86-64-v2", "O3"): ("bitboards", "blake2b", "extended"),
    Build("x86-64-v3", "O3"): ("blas", "fourier", "halves", "lanes", "mandelbrot", "rays"),
}
FOUR = {
    Build("x86-64", "O2"): ("aes_tables", "base64", "blas", "compiler"),
    Build("x86-64-v3", "O3"): ("lanes", "rays"),
}


class Runs:
    """Programs of a build, compiled and run once for all tests of this file; a group of them at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._native: Path | None = None
        self._images: dict[tuple[Build, Sequence[str]], list[Path]] = {}
        self._guests: dict[tuple[Build, Sequence[str]], Path] = {}
        self._stepped: dict[tuple[Build, Sequence[str]], list[Outcome]] = {}
        self._counted: dict[tuple[Build, Sequence[str], int], list[list[Result]]] = {}

    def images(self, build: Build, names: Sequence[str]) -> list[Path]:
        if (build, names) not in self._images:
            folder = self._folder / f"{build}-{len(self._images)}"
            folder.mkdir()
            self._images[build, names] = build_images(folder, build, names)
        return self._images[build, names]

    def stepped(self, build: Build, names: Sequence[str]) -> list[Outcome]:
        self._native = self._native or build_native(self._folder)
        if (build, names) not in self._stepped:
            self._stepped[build, names] = step(self._native, self.images(build, names), wide=build.wide)
        return self._stepped[build, names]

    def counted(self, build: Build, names: Sequence[str], smp: int = 1) -> list[list[Result]]:
        if (build, names, smp) not in self._counted:
            images = self.images(build, names)
            if (build, names) not in self._guests:
                self._guests[build, names] = build_guest(images[0].parent, images)
            found = emulate(self._guests[build, names], len(images), build, oracle=True, smp=smp)
            self._counted[build, names, smp] = found
        return self._counted[build, names, smp]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("programs"))


def skip_without(build: Build) -> None:
    if lacking := missing(build.march):
        pytest.skip(f"this processor is no {build.march}: it has no {', '.join(lacking)}")


def rows() -> list[object]:
    found: list[object] = []
    for build in (Build(march, level) for march in MARCHES for level in LEVELS):
        quick = QUICK.get(build, ())
        rest = tuple(name for name in sources() if name not in quick)
        for group, soak in ((quick, False), (rest, True)):
            for name in group:
                marks = [pytest.mark.soak] * soak
                marks += [pytest.mark.xfail(reason=why, strict=True) for why in known_differences(name, build)]
                found.append(pytest.param(build, group, name, id=f"{name}-{build}", marks=marks))
    return found


@pytest.mark.parametrize(("build", "group", "name"), rows())
def test_program(build: Build, group: tuple[str, ...], name: str, runs: Runs) -> None:
    skip_without(build)
    which = group.index(name)
    stepped = runs.stepped(build, group)[which]
    assert "WRONG" not in stepped.text, stepped.text
    (counted,) = runs.counted(build, group)[which]
    assert difference(stepped, counted) == ""


@pytest.mark.parametrize(("build", "name"), [(build, name) for build, names in FOUR.items() for name in names], ids=str)
def test_four_vcpus_at_a_time(build: Build, name: str, runs: Runs) -> None:
    skip_without(build)
    which = QUICK[build].index(name)
    stepped, counted = runs.stepped(build, QUICK[build])[which], runs.counted(build, QUICK[build], 4)[which]
    assert [difference(stepped, each) for each in counted] == [""] * 4


def test_a_difference_is_seen(runs: Runs, tmp_path: Path) -> None:
    """Compiled otherwise, a program says the same, and is not the same; one that is changed is not, either."""
    build = Build("x86-64", "O2")
    group = QUICK[build]
    stepped, images = runs.stepped(build, group)[group.index("base64")], runs.images(build, group)
    (tmp_path / "other").mkdir()
    other = build_images(tmp_path / "other", Build("x86-64", "O1"), ("base64",))[1]
    code = images[1 + group.index("base64")].read_bytes()
    assert code.count(b"Zm9vYmE=") == 1
    changed = tmp_path / "changed"
    changed.write_bytes(code.replace(b"Zm9vYmE=", b"Zm9vYmF="))
    elf = build_guest(tmp_path, [images[0], other, changed])
    found = [difference(stepped, result) for (result,) in emulate(elf, 3, build)]
    assert "instructions" in found[0]
    assert "branches" in found[0]
    assert "text" not in found[0]
    assert "WRONG:RFC 4648" in found[1]


def test_branches_are_objdumps(runs: Runs, tmp_path: Path) -> None:
    """The stepper knows them by their bytes."""
    build = Build("x86-64", "O2")
    image = runs.images(build, QUICK[build])[1]
    command = ["objdump", "-d", "-w", "--insn-width=15", str(image.with_suffix(".program.elf"))]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(
        r"^ *[0-9a-f]+:\t((?:[0-9a-f]{2} )+) *\t(?:bnd |rep |repz |repnz |data16 |cs )*(\S+)", listed, re.M
    )
    codes, names = ["".join(code.split()) for code, _ in found], [name for _, name in found]
    classify = build_native(tmp_path, "classify")
    done = subprocess.run([classify], input="\n".join(codes), capture_output=True, text=True, check=True)
    branches = {name for name, said in zip(names, done.stdout.split(), strict=True) if said[0] == "1"}
    others = {name for name, said in zip(names, done.stdout.split(), strict=True) if said[0] == "0"}
    assert {"call", "ret", "jmp", "je"} <= branches
    assert all(re.match(r"j|call|ret|loop", name) for name in branches)
    assert not any(re.match(r"j|call|ret|loop", name) for name in others)
    repeated = {name for name, said in zip(names, done.stdout.split(), strict=True) if said[1] == "1"}
    assert repeated
    assert all(re.match(r"(movs|stos|cmps|scas|lods)", name) for name in repeated)


def test_there_are_thirty_programs() -> None:
    assert len(sources()) >= 30
    assert all(set(names) <= set(sources()) for names in QUICK.values())
