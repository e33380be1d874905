# SPDX-License-Identifier: GPL-2.0-only
"""The benchmarks measure what they say; how fast it is, they print and no test asserts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from emulator.bench.measure import Sample, interleave, ratio
from emulator.events import parse_events
from emulator.machine import VirtualMachine


@pytest.mark.parametrize(("hook", "counts"), [("count", True), ("empty", False), ("none", False)])
def test_only_the_counting_hook_counts(hook: str, counts: bool) -> None:
    with VirtualMachine(hook=hook) as vm:
        result = vm.run("spin", ["iterations=100000"], events=parse_events("branches"), timeout=60)
    assert result.status == 0
    (count,) = result.counts
    assert ((count.value or 0) > 100_000) == counts


def test_rounds_are_interleaved_and_the_warm_up_is_dropped() -> None:
    order: list[str] = []

    def contender(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    samples = interleave({"a": lambda: contender("a", 2.0), "b": lambda: contender("b", 1.0)}, rounds=2)
    assert order == ["a", "b"] * 3
    assert samples["a"].seconds == [2.0, 2.0]
    assert ratio(samples["a"], samples["b"]) == 2


def test_a_ratio_is_paired_by_round() -> None:
    assert ratio(Sample("a", [1.0, 10.0, 100.0]), Sample("b", [1.0, 5.0, 50.0])) == 2


@pytest.mark.parametrize("suite", ["hypercall", "boot"])
def test_suite_prints_json(suite: str) -> None:
    command = [sys.executable, "-m", "emulator", "bench", suite, "--rounds", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    document = json.loads(done.stdout)
    assert document["schema_version"] == 1
    assert document["machine"]["cores"] >= 1
    assert all(row["value"] > 0 for row in document["rows"])
