# SPDX-License-Identifier: GPL-2.0-only
"""scripts/programs: a table of every program in every build."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from programs.building import LEVELS, MARCHES, Build, build_guest, build_images, build_native, missing, sources
from programs.running import difference, emulate, step


def table(folder: Path, native: Path, build: Build, names: list[str], smp: int) -> int:
    """Prints a line for each program of a build; how many differ."""
    folder.mkdir()
    images = build_images(folder, build, names)
    stepped = step(native, images, wide=build.wide)
    counted = emulate(build_guest(folder, images), len(images), build, oracle=True, smp=smp)
    bad = 0
    for name, expected, found in zip(names, stepped, counted, strict=True):
        wrong = [expected.text] if "WRONG" in expected.text else []
        wrong += dict.fromkeys(filter(None, (difference(expected, each) for each in found)))
        bad += bool(wrong)
        print(
            f"{build!s:14}  {name:13}{expected.instructions:>9,}{expected.branches:>9,}  {'; '.join(wrong) or 'equal'}"
        )
    return bad


def main() -> int:
    known = list(sources())
    parser = argparse.ArgumentParser(prog="scripts/programs", description="Programs in a guest and on the processor.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="the name of a program, a march, O2 or O3")
    parser.add_argument("--smp", type=int, default=1, help="vCPUs that run each program at a time; 1")
    arguments = parser.parse_args()
    if unknown := set(arguments.words) - {*known, *MARCHES, *LEVELS}:
        parser.error(f"no such program, march or level: {', '.join(sorted(unknown))}")

    def chosen(of: list[str] | tuple[str, ...]) -> list[str]:
        return [each for each in of if each in arguments.words] or list(of)

    bad = 0
    print(f"{'build':14}  {'program':13}{'instructions':>9}{'branches':>9}")
    with tempfile.TemporaryDirectory(prefix="pvperf-programs-") as scratch:
        native = build_native(Path(scratch))
        for march in chosen(MARCHES):
            for level in chosen(LEVELS):
                build = Build(march, level)
                if lacking := missing(march):
                    print(f"{build!s:14}  not here: the processor has no {', '.join(lacking)}")
                    continue
                bad += table(Path(scratch) / str(build), native, build, chosen(known), arguments.smp)
    print(f"{bad} different" if bad else "all equal")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
