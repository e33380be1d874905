# SPDX-License-Identifier: GPL-2.0-only
"""The copy that is mutated: the tracked files of this tree as they stand, built once, and then in steps."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from emulator.errors import PvperfError

from .checks import PYTHON
from .mutations import Mutation

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

    def build(self) -> str:
        """What is not up to date. The compiler's words if it refuses."""
        return self._run("building")

    def build_guests(self) -> None:
        failed = self._run("booting", "build")
        if failed:
            raise PvperfError(failed)

    def _run(self, module: str, *arguments: str) -> str:
        command = [PYTHON, "-m", f"emulator.mutation.{module}", *arguments]
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        return done.stderr or "it failed" if done.returncode else ""

    def mutate(self, mutation: Mutation) -> None:
        path = self.folder / mutation.file
        path.write_text(mutation.apply((ROOT / mutation.file).read_text()))

    def restore(self, mutation: Mutation) -> None:
        (self.folder / mutation.file).write_text((ROOT / mutation.file).read_text())
