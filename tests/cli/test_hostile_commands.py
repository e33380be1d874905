# SPDX-License-Identifier: GPL-2.0-only
"""Some of what scripts/hostile-commands tries, and that it sees what is wrong."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_commands import judge
from hostile_options import MAKERS, Command, make_command
from hostile_place import OUTPUTS

SCRIPT = Path(__file__).resolve().parents[1] / "hostile_commands.py"
UNSHARE = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "true"]


@pytest.mark.skipif(
    subprocess.run(UNSHARE, capture_output=True, check=False).returncode != 0,
    reason="no mount namespaces for this user",
)
def test_hostile_commands() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--count", "30", "--seed", "15", "--quick"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["30 commands, 0 that did what they must not"]), (
        done.stdout + done.stderr
    )


def test_the_choice_is_the_seeds() -> None:
    for number in range(60):
        command = make_command(3, number, MAKERS)
        assert command.words == make_command(3, number, MAKERS).words
    assert make_command(3, 0, MAKERS).words != make_command(4, 0, MAKERS).words


def test_all_that_an_output_can_be_comes() -> None:
    commands = [make_command(1, number, MAKERS) for number in range(1000)]
    assert set(OUTPUTS) <= {name for command in commands for name in command.outputs}
    assert {frozenset(command.allowed()) for command in commands} >= {frozenset({2}), frozenset({125}), frozenset({0})}


@pytest.mark.parametrize(
    ("does", "outputs", "said"),
    [
        ("open('input', 'w')", [], "changed: "),
        ("open('new', 'w')", [], "made: "),
        ("__import__('os').unlink('input')", ["new"], "removed: "),
        ("__import__('sys').exit(3)", [], "its status is 3, not 0"),
        ("1 / 0", [], "it says Traceback"),
    ],
)
def test_what_is_wrong_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, outputs: list[str], said: str
) -> None:
    (tmp_path / "input").write_text("theirs")
    monkeypatch.setattr("hostile_commands.PVPERF", [sys.executable, "-c"])
    command = Command(random.Random(1), [does], {"ok"}, outputs)
    assert said in "\n".join(judge(command, tmp_path, 0))
    assert judge(Command(random.Random(1), ["open('new', 'w')"], {"ok"}, ["new"]), tmp_path, 0) == []
