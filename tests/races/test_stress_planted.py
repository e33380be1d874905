# SPDX-License-Identifier: GPL-2.0-only
"""Whole VMs notice what is wrong with counts, periods, times, NMIs and records: one line of a copy's core is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from emulator.mutation import checks
from emulator.mutation.mutations import Mutation, read
from emulator.mutation.tree import ROOT, Tree

pytestmark = pytest.mark.slow

#: What breaks it, what is played, and which oracle says so.
PLANTED = [
    ("stale-count-synced", "migrate", ("O5 conservation",)),
    ("period-begins-anew", "stop-and-go", ("O12 periods",)),
    ("alarm-without-sum", "stop-and-go", ("O12 periods",)),
    ("enabling-counted", "migrate", ("O5 conservation",)),
    ("time-forgotten", "record", ("O13 times",)),
    ("owed-again", "stop-and-go", ("O11 NMIs",)),
    ("owed-once", "stop-and-go", ("O11 NMIs",)),
    ("group-of-one", "group-move", ("O14 records",)),
    ("member-ids-shifted", "record", ("O14 records",)),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """All that is needed, built, but for the core."""
    folder = tmp_path_factory.mktemp("planted")
    for part in ("emulator", "native", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "_core.*"))
    checks.build(folder, "core")
    return Tree(folder)


def _stress(tree: Tree, scenario: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "emulator", "stress", scenario, "--seed", "5", "--ops", "4000", "--search", "0.1"]
    environment = os.environ | {"PYTHONPATH": str(tree.folder)}
    done = subprocess.run(command, cwd=tree.folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("scenario", sorted({scenario for _, scenario, _ in PLANTED}))
def test_nothing_is_found_where_nothing_is_planted(tree: Tree, scenario: str) -> None:
    status, told = _stress(tree, scenario)
    assert status == 0, told


@pytest.mark.parametrize(("name", "scenario", "oracles"), PLANTED, ids=[name for name, _, _ in PLANTED])
def test_what_is_planted_is_found(tree: Tree, name: str, scenario: str, oracles: tuple[str, ...]) -> None:
    mutation: Mutation = next(each for each in read() if each.name == name)
    tree.mutate(mutation)
    try:
        checks.build(tree.folder, "core")
        status, told = _stress(tree, scenario)
    finally:
        tree.restore(mutation)
    assert status == 1, told
    assert any(f"  {oracle:<20} VIOLATED" in told for oracle in oracles), told
