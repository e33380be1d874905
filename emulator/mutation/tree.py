# SPDX-License-Identifier: GPL-2.0-only
"""The copy that is mutated: the tracked files of this tree as they stand, built once, and then in steps."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from emulator.mutation import checks
from emulator.mutation.mutations import Mutation

ROOT = Path(__file__).resolve().parent.parent.parent


class Tree:
    """A copy of the project in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def copy(self) -> None:
        """The tracked files, and the agent and the guests that they were built into."""
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in [*listed.split("\0")[:-1], *self._data()]:
            source, target = ROOT / name, self.folder / name
            if source.is_file() and not (target.exists() and target.read_bytes() == source.read_bytes()):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def _data(self) -> list[str]:
        return [str(path.relative_to(ROOT)) for path in (ROOT / "emulator/data").rglob("*") if path.is_file()]

    def build(self) -> None:
        """Once, and the guests, which are not what is mutated."""
        checks.build(
            self.folder, *(name for chain in checks.CHAINS.values() for check in chain for name in check.needs)
        )
        command = [checks.PYTHON, "-m", "emulator.mutation.booting", "build"]
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        subprocess.run(command, cwd=self.folder, env=environment, check=True)

    def mutate(self, mutation: Mutation) -> None:
        path = self.folder / mutation.file
        path.write_text(mutation.apply((ROOT / mutation.file).read_text()))

    def restore(self, mutation: Mutation) -> None:
        (self.folder / mutation.file).write_text((ROOT / mutation.file).read_text())
