# SPDX-License-Identifier: GPL-2.0-only
"""x86's store buffers in the explorer: what they alone make possible is found, and nothing else."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from emulator.cli import main
from emulator.races.explore.canaries import Caught, blocks, catch
from emulator.races.explore.case import read_case
from emulator.races.explore.machine import Setup
from emulator.races.explore.search import run_block

#: A flag cleared by a store, then a list looked at; on the other side the list, then the flag: each may miss the other.
CANARY = "due_cleared_by_a_store"


@functools.cache
def with_store_buffers(nmi: str) -> Caught:
    return catch(CANARY, Setup(nmi=nmi, memory="tso"), seed=1, seconds=300)


@pytest.mark.parametrize("nmi", ["lockless", "deferred"])
def test_a_store_that_comes_late_is_found_and_replays(nmi: str, tmp_path: Path) -> None:
    caught = with_store_buffers(nmi)
    assert caught.case
    assert caught.case.setup.memory == "tso"
    path = tmp_path / "late.replay"
    caught.case.write(path)
    assert "memory tso" in path.read_text()
    assert read_case(path) == caught.case
    for _ in range(5):
        assert main(["replay", str(path)]) == 1


def test_without_store_buffers_it_is_no_defect() -> None:
    """The same search, over as many schedules as it needs with them, and more."""
    found = with_store_buffers("lockless")
    assert found.case
    searched = 0
    for block in blocks(Setup(nmi="lockless", canary=CANARY), seed=1):
        result = run_block(block)
        assert not result.case
        searched += result.totals.schedules
        if searched > found.schedules:
            break


@pytest.mark.parametrize("design", ["per-vm", "per-vcpu"])
def test_sound_designs_hold(design: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["close-enable", "close-sync", "slow-sync", "--nmi", "lockless", "--memory", "tso", "--exhaustive", "2"]
    assert main(["explore", "--design", design, *arguments, "--seed", "3"]) == 0
    told = capsys.readouterr().out
    assert told.count("complete: ") == 3
    assert "memory tso" in told


def test_no_such_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "close-enable", "--memory", "weak"]) == 2
    assert "'weak'" in capsys.readouterr().err
